"""Rows between files and the database: imports, exports, and candles of trades held against the exchange's."""
