"""Alerts of the window: their dialog, their lines on the charts, and how firings are announced."""
