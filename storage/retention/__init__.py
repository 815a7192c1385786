"""Drops old trades once that is confirmed."""
