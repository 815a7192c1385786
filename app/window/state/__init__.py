"""What a window remembers between runs, and how that is saved as it changes."""
