"""
Pure values and rules of a spot market: no Qt, no sockets, no SQL, no clock of its own.

The rest of the program meets here. Values: `trade`, `candle`, `symbol`, `interval`. Rules over them: `builder`,
`coverage`, `precedence`, `series`, `indicators`. Protocols by which brokers, storage and the engine know each other:
`ports`.
"""
