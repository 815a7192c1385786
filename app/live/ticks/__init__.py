"""Live ticks of brokers that publish bid and ask without trades: stored once, and folded for the charts."""
