"""Received trades on their way to the database."""
