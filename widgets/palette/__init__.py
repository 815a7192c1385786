"""The command palette, and the dialog that changes keys."""
