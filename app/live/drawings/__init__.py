"""Drawings while the program runs: shown at once, undone and redone, kept, and in step with other desktops."""
