"""Which texts PostgreSQL takes as the name of a symbol."""

from __future__ import annotations

from functools import lru_cache

_LONGEST_SYMBOL = 100  # the exchange's longest has some twenty characters; PostgreSQL indexes at most some 2,700 bytes
_SHOWN_CHARACTERS = 200


@lru_cache(maxsize=4096)
def is_name(symbol: str) -> bool:
    """Whether a symbol can be stored under that name."""
    # PostgreSQL's text holds no NUL, and half a surrogate pair, which Python's str may hold, has no UTF-8.
    return 0 < len(symbol) <= _LONGEST_SYMBOL and not any(
        char == "\x00" or "\ud800" <= char <= "\udfff" for char in symbol
    )


def as_text(name: object) -> str:
    """Return a symbol, whatever it is, as text that PostgreSQL accepts."""
    return str(name)[:_SHOWN_CHARACTERS].replace("\0", "").encode(errors="replace").decode()
