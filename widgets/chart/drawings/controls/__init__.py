"""What stands over the chart for one drawing: its menu, the bar with its style, the field its text is typed in."""
