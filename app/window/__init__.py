"""Qt meets asyncio: one controller for each part of the window."""
