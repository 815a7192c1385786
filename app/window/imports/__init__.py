"""Imports of files: the dialog's work, and the process that does it."""
