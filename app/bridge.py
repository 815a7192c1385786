"""Qt meets asyncio."""
