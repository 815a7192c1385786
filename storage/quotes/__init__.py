"""Quotes: the write path, each tick stored exactly once, and the candles that are read of them."""
