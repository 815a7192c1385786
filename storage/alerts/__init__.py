"""Alerts: kept in the database, judged by the stored trades, proved by them."""
