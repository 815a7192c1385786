"""Alerts: conditions on trades, their language, and the judging of trades in id order. Pure."""
