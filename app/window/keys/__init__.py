"""The keys that users changed: read, saved, imported and exported."""
