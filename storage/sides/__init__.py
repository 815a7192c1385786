"""Candles of one price of ticks, and the store that has those of trades and of ticks."""
