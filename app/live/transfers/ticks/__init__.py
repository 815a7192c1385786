"""Past ticks of brokers of quotes into the database."""
