"""Tables of rolling windows, one for every minute, with indicators as columns."""
