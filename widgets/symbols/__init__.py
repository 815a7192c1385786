"""The symbol picker, the watchlist, and the dialog that edits the list of recorded symbols."""
