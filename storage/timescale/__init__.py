"""Hypertables: set-up and conversion."""
