"""The diagnostics dock: metrics and the log."""
