"""Past trades, candles and quotes into the database, from exchanges and brokers."""
