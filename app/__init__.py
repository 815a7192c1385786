"""The program: market rules, the exchange, recording, and the wiring of them all."""
