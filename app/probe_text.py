"""What a look at a database found, in words for the dialog."""

from __future__ import annotations

from app.market.errors import StoreError
from storage.migrate import migrations
from storage.probe import Probe
from widgets.database_dialog import Fact
from widgets.numbers import count

_SLOW_MS = 100.0


def facts_of_probe(found: Probe) -> list[Fact]:
    """Return the lines to show, the most important first."""
    line = {None: "a socket of this machine", True: "encrypted (TLS)", False: "not encrypted"}[found.encrypted]
    return [
        Fact("Server", found.server.label),
        Fact("Round trip", f"{_time(found.latency_ms)}, {line}", "warning" if found.latency_ms > _SLOW_MS else ""),
        Fact("Holds", _holdings(found)),
        Fact("Tables", _tables(found)),
    ]


def verdict(found: Probe) -> tuple[str, str]:
    """Return one sentence that says what using it would mean, and its tone."""
    try:
        found.access.check()
    except StoreError as error:
        return str(error), "warning"
    if found.access.tables_version > migrations()[-1].number:
        return "It was written by a newer cryptopipe: upgrade this program to use it.", "warning"
    if found.access.reading_only:
        return found.access.reading_only, "warning"
    return "It works, and trades can be recorded into it.", "rising"


def _holdings(found: Probe) -> str:
    size = _size(found.size_bytes)
    if not found.trades:
        return f"no trades yet ({size})"
    symbols = "1 symbol" if found.symbols == 1 else f"{count(found.symbols)} symbols"
    return f"{count(found.trades)} trades of {symbols} ({size})"


def _tables(found: Probe) -> str:
    newest, version = migrations()[-1].number, found.access.tables_version
    if not version:
        return "none yet; they are made at the first use"
    if version < newest:
        return f"version {version}; brought to version {newest} at the first use"
    return f"version {version}"


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds >= 0.1 else "less than 0.1 ms"


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"
