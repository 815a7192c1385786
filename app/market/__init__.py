"""
Pure values and rules of a spot market: no Qt, no sockets, no SQL, no clock of its own.

Everything else in the program meets here: values (`trade`, `candle`, `symbol`, `interval`), rules over them (`builder`,
`coverage`, `series`), and the Protocols (`ports`) by which the feed, the store and the window know each other.
"""
