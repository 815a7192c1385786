"""Colours, fonts, icons, text size."""
