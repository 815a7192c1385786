"""What the user does with the chart."""
