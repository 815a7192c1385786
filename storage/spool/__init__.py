"""Trades on disk while the database is away."""
