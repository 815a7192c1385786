"""Drops trades older than the confirmed retention period."""
