"""A frame of the chart: the scene with all that is shown, how it is built from a series, and how it is painted."""
