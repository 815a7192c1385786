"""
A loopback exchange that speaks Binance's protocol, for the demo, for tests and for work without internet.

`server` holds the protocol with its limits and injected faults, `wire` writes its JSON, `source` is the interface of a
market, and `market` has two of them: one replays recordings, the other is simulated.
"""
