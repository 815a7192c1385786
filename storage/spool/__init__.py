"""Trades on disk while the database does not take them."""
