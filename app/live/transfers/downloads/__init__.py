"""Downloads: past trades and klines of a range, from the archive and from the exchange, into the database."""
