"""What the write paths share: the bounded queue, the thread that empties it, and tables made ready for a batch."""
