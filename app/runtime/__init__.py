"""Builds the parts from the settings; start, stop, locks."""
