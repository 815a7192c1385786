"""Verifies coverage and candles against the trades, rebuilds them, and reports gaps and the database's status."""
