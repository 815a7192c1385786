"""The read path: candles of any interval, and what else readers ask for."""
