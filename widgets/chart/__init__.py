"""The chart: panes, axes, indicators, and what the user does with them."""
