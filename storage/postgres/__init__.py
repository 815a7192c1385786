"""Talking to PostgreSQL: sessions, errors, URLs, the pool, advisory locks, and rows in its formats."""
