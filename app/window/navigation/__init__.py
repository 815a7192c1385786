"""Moves a chart to other times: loads ahead of the view, and jumps to dates and ranges."""
