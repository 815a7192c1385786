"""Trades and ticks on disk while the database does not take them."""
