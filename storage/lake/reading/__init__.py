"""What is made of a lake: candles of any interval, and the rows of files that no push wrote."""
