"""A loopback OANDA: pricing stream, candles and instruments, of recorded or simulated ticks, with faults on demand."""
