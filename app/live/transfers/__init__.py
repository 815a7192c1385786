"""Exports: a range of candles, from the store and from the exchange, into a file."""
