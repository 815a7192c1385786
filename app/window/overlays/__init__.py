"""What lies over a chart beside its candles: marks of missing trades and of differing candles, the spread."""
