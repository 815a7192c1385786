"""The database dialog and the export dialog, each with its form."""
