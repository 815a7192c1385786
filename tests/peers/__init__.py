"""Other programs read our files in environments of their own: they are too large for the tests."""
