"""Symbol pickers and the watchlist."""
