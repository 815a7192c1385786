"""
Loopback brokers that speak Binance's, Dukascopy's and OANDA's protocols, for the demo, for tests and without internet.

`server` holds the protocol with its limits and injected faults, `wire` writes its JSON, `source` is the interface of a
market, and `market` has two of them: one replays recordings, the other is simulated. These are Binance's; `dukascopy`
and `oanda` stand by themselves.
"""
