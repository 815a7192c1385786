"""Files into the database: the command for people, and the one that a window starts."""
