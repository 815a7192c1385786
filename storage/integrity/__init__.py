"""Compares what is stored with its trades, repairs it, and reports on it."""
