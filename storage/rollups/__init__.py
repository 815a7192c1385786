"""Candles by SQL."""
