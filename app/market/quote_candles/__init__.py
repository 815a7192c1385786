"""Candles of one price of ticks, as charts, files and answers have them. Pure."""
