"""How this program starts another process of itself, packaged or not."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# Python would look for “app” in the user's current folder first, where there may be another. -P keeps it from that.
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from app.main import main; sys.exit(main())"


def own_program(*arguments: str) -> list[str]:
    """Return the command line that runs this program, from the same files, with these arguments."""
    if getattr(sys, "frozen", False):  # packaged: the interpreter is the program
        return [sys.executable, *arguments]
    return [sys.executable, "-P", "-c", _START, str(_ROOT), *arguments]
