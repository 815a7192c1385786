"""The loopback server: Binance's protocol, its limits, and faults on demand."""
