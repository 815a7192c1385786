"""
The environment variables that other recorders of the field are set up by, understood as settings of this program.

Whoever brings such a set-up along need not translate it. All of ours win: a line in config.toml, a ``CRYPTOPIPE_…``
variable, an option. They may be meant for another program on the machine, so a value that means nothing
here is passed over rather than refused; ``cryptopipe doctor`` tells which are in force and which are not.

Times are milliseconds there, where ours are seconds. Some set-ups have seconds all the same, so a time below
`_LEAST_MS` counts as seconds: nobody stores batches every 5 ms, or waits 30 ms for a database.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_LEAST_MS = 50.0
_LEVELS = {
    "trace": "debug",
    "verbose": "debug",
    "silly": "debug",
    "debug": "debug",
    "info": "info",
    "notice": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "critical": "error",
    "fatal": "error",
}
_FORMATS = {"json": "json", "plain": "plain", "text": "plain", "simple": "plain", "pretty": "plain", "console": "plain"}
_POSTGRES = ("postgresql", "postgres")


class ForeignValue(NamedTuple):
    """What a variable says: its name, and the value for our setting."""

    variable: str
    value: Any


def foreign_values(environment: Mapping[str, str]) -> dict[str, ForeignValue]:
    """Return the settings that the environment's foreign variables give, by our names, as far as understood."""
    found = {}
    for variable, (setting, read) in FOREIGN_VARIABLES.items():
        value = read(environment.get(variable, "").strip())
        if value is not None:
            found[setting] = ForeignValue(variable, value)
    return found


def not_understood(environment: Mapping[str, str]) -> list[str]:
    """Return the foreign variables that are set to something that means nothing here."""
    understood = {found.variable for found in foreign_values(environment).values()}
    return [name for name in FOREIGN_VARIABLES if environment.get(name, "").strip() and name not in understood]


def _database_url(text: str) -> str | None:
    scheme, separator, rest = text.partition("://")
    # SQLAlchemy writes its driver behind the scheme: postgresql+asyncpg://…
    return f"postgresql://{rest}" if separator and scheme.partition("+")[0] in _POSTGRES else None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 10**9 else None


def _attempts(text: str) -> int | None:
    # Ours has 0 for never giving up, which others write as -1, Infinity, or 0 as well.
    return 0 if text.lower() in {"0", "-1", "infinity", "inf"} else _count(text)


def _seconds(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    return number / 1000 if number >= _LEAST_MS else number


def _stream_address(text: str) -> str | None:
    return text if text.startswith(("ws://", "wss://")) else None


def _symbols(text: str) -> list[str] | None:
    # JSON's brackets and quotes, and spaces, separate as commas do.
    names = "".join(" " if character in "[]\"',;" else character for character in text).split()
    return names or None


Read = Callable[[str], Any]

FOREIGN_VARIABLES: Mapping[str, tuple[str, Read]] = {
    "DATABASE_URL": ("database_url", _database_url),
    "DB_POOL_MAX": ("database_connections", _count),
    "DB_TIMEOUT": ("database_timeout_seconds", _seconds),
    "BINANCE_WS_URL": ("binance_ws_url", _stream_address),
    "BINANCE_SYMBOLS": ("symbols", _symbols),
    "BATCH_SIZE": ("batch_trades", _count),
    "BATCH_TIMEOUT": ("batch_seconds", _seconds),
    "MAX_RECONNECT_ATTEMPTS": ("reconnect_attempts", _attempts),
    "LOG_LEVEL": ("log_level", lambda text: _LEVELS.get(text.lower())),
    "LOG_FORMAT": ("log_format", lambda text: _FORMATS.get(text.lower())),
}
"""By variable: our setting, and the function that reads a text, returning None where it means nothing here."""
