"""Talks to PostgreSQL: connections, pool, locks, COPY."""
