"""The read path: candles of any interval."""
