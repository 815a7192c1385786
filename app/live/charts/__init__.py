"""Loads one chart's candles, joins live trades to them, and keeps them current."""
