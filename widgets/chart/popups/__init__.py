"""What stands over the chart for a while: the line for a date, the zones, a state's panel, the chip of a task."""
