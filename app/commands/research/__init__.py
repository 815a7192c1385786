"""Tables of rolling windows for research: built, dropped, described."""
