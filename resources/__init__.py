"""Icons and other files the program carries, read through ``importlib.resources`` so that they work when packaged."""
