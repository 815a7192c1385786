"""How this program starts another process of itself, packaged or not."""

from __future__ import annotations

import sys


def own_program(*arguments: str) -> list[str]:
    """Return the command line that runs this program with these arguments."""
    if getattr(sys, "frozen", False):  # packaged: the interpreter is the program
        return [sys.executable, *arguments]
    # -P: in the folder where the user stands there may be another “app”.
    return [sys.executable, "-P", "-m", "app.main", *arguments]
