"""Alerts judged by live trades, and kept in step with the database."""
