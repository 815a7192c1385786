"""The command alerts: add, list, remove, verify."""
