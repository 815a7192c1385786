"""Finds missing trades and fetches them."""
