"""When frames run: each chart's timer, and the pace at which charts that share a thread show live data."""
