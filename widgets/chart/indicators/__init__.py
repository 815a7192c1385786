"""Indicators on the chart: which there are, how they are drawn and read, and how the user adds and changes them."""
