"""The book and the board of drawings: one desktop, several, and kills."""
