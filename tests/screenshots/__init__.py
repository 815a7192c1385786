"""Draws the window in each of its states, for looking at: ``make screenshot``."""
