"""Drawings: kept in the database for every desktop on it, and in a desktop's own journal."""
