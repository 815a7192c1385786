"""The database's status, differences and retention in words and as JSON."""
