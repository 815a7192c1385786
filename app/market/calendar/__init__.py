"""When markets are open: always, by the week, or by a table of sessions. Pure."""
