"""Binance spot: trades with ids, live over WebSocket, past ones over REST and from its archive."""
