"""What the program reports about itself: logs and metrics."""
