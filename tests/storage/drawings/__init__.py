"""Drawings in a real database, and the journal of a desktop."""
