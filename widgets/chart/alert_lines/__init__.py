"""Lines of alerts on the chart: painted, dragged, and saved where they are dropped."""
