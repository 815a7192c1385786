"""One frame, painted."""
