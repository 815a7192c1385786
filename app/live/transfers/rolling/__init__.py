"""Exports of rolling candles: made of minutes, with indicators, and a report of missing minutes."""
