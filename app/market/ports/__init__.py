"""The Protocols by which brokers, storage, the engine and the window meet."""
