"""Every live trade of the recorded symbols, stored once."""
