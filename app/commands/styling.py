"""Lines with colours on a terminal that shows them, plain text elsewhere (a pipe, TERM=dumb, NO_COLOR, --no-color)."""

from __future__ import annotations

import os
import sys
from typing import TextIO

Part = str | tuple[str, str]
"""A text, or one with its style in rich's words: ``("✗", "bold red")``."""


def has_colours(stream: TextIO | None) -> bool:
    """Whether what is written to ``stream`` may have colours."""
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in {"dumb", "unknown"}
    return stream is not None and stream.isatty() and not is_plain


def print_styled(*parts: Part, to: TextIO | None = None) -> None:
    """Print the parts as one line, to standard output unless ``to`` is another stream."""
    stream = sys.stdout if to is None else to
    if not has_colours(stream):
        print("".join(part if isinstance(part, str) else part[0] for part in parts), file=stream)
        return
    # Imported here, because it takes as long as many a command.
    from rich.console import Console
    from rich.text import Text

    # A soft wrap leaves long lines to the terminal, which joins them again when they are copied.
    Console(file=stream, highlight=False).print(Text.assemble(*parts), soft_wrap=True)
