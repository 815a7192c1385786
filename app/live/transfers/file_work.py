"""Work on a file that is being written, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from app.concurrency.background import in_background

Result = TypeVar("Result")


async def to_its_end(work: Callable[[], Result]) -> Result:
    """Do ``work`` on the file in a thread; if cancelled, wait for its end all the same, so that none uses the file."""
    working = asyncio.ensure_future(in_background(work, "write-file"))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait({working})
