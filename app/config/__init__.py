"""Settings, the file that keeps them, and passwords."""
