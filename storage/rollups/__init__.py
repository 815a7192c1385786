"""Candles in SQL: the rollup tables, how a batch is added to them, how they are read and recounted."""
