"""The write path: each trade stored exactly once."""
