"""One chart's candles: loaded, joined with live trades, kept current."""
