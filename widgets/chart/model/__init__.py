"""The chart's rules and values. Pure."""
