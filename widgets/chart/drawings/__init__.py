"""Drawings on the chart: their figures, painting, hit test, and the tool that places and moves them."""
