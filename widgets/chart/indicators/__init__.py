"""Indicators on the chart: studies, their layers, legend entries and axis labels, and the picker and settings."""
