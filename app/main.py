"""The one place that wires everything: builds, connects, starts and stops, top to bottom."""
