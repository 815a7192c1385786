"""Colours, fonts, icons, the stylesheet, and the size of text."""
