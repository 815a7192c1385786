"""Past ticks and candles of brokers of quotes into the database."""
