"""The export dialog: which rows, of which time, in which form, and into which file or folder."""
