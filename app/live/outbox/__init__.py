"""Received trades and ticks on their way to the database."""
