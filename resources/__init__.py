"""Icons, the stylesheet and the desktop entry, read through ``importlib.resources`` so that they work when packaged."""
