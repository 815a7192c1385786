"""The markets that the sandbox serves: simulated, or replayed from a recording."""
