"""Drawings on a chart: what they are, their JSON, their history, and where their lines run. Pure."""
