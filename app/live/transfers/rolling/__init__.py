"""Rolling candles on their way into a file: made of minutes, with indicators, and what the file lacks."""
