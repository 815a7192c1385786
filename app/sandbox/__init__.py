"""
A loopback exchange that speaks Binance's protocol, for the demo, for tests, and for work without internet.

`server` and `connection` speak the protocol; `rest`, `subscriptions`, `weights` and `wire` are its rules, without a
socket; `faults` make it go wrong. What is served comes from a `source`: `recording` replays, `simulated` invents.
"""
