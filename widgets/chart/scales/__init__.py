"""Time and value to pixels and back; marks; zones. Pure."""
