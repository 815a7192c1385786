"""Drawings between the charts, the window's tools and lists, and the engine that keeps them."""
