"""OANDA v20: bid and ask live by its pricing stream, candles of the past, the account's instruments."""
