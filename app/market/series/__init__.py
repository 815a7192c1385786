"""The candles of one chart as columns."""
