"""Candles and exact amounts as columns, for what handles more of them than Python objects allow. Pure."""
