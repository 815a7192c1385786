"""The language of alerts, and their judging against a brute-force model."""
