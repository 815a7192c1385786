"""Files of other programs, read as exact rows."""
