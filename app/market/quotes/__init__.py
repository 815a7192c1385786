"""Markets of bid and ask without trades: a tick, and the candles of bid, ask and mid that ticks add up to."""
