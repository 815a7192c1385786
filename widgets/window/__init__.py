"""The main window: it arranges bars and panels around the charts, and collects what the user asks for."""
