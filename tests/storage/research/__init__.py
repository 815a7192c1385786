"""The tables of rolling windows."""
