"""The program: market rules, brokers, recording, and the wiring of them all."""
