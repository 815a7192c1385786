"""
The state of a database as text for people and as JSON for programs.

`storage.integrity.status` reads the state; nothing here connects. The JSON's keys are an interface: they stay, and stay
in this order, also where a field behind one is renamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.integrity.status import Compression, DatabaseStatus, PartitionSummary, SymbolStatus, TableSize
from storage.spool.inspection import SpoolSummary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def status_text(status: DatabaseStatus) -> str:
    """Return the state as lines of at most 100 characters; only the address may be longer."""
    access = "" if status.writable else " · reading only"
    size = "" if status.bytes is None else f" · {data_size(status.bytes)}"
    parts = [
        f"{status.facts.label}{size} · answers in {status.latency_ms:.1f} ms{access}",
        status.address,
        _version(status),
        "",
        _symbols(status),
        "",
        _storage(status),
        "",
        _tables(status),
    ]
    return "\n".join(parts)


def status_json(status: DatabaseStatus) -> dict[str, Any]:
    """Return the state for `json.dumps`: sizes in bytes, times as ISO 8601 in UTC, null for unknown values."""
    facts = status.facts
    return {
        "server": facts.label,
        "edition": facts.edition.value,
        "server_version": facts.version,
        "timescaledb_version": facts.timescale_version or None,
        "embedded": facts.embedded,
        "address": status.address,
        "latency_ms": round(status.latency_ms, 3),
        "schema_version": status.version,
        "bytes": status.bytes,
        "writable": status.writable,
        "symbols": [_symbol_json(one) for one in status.symbols],
        "parts": _fields(status.parts, largest="largest_bytes"),
        "compression": _compression_json(status.compression),
        "refused_trades": status.refused,
        "trades_kept_from": _iso(status.kept_from_us),
        "tables": [
            _fields(one, name="table", data="data_bytes", indexes="index_bytes") | {"total_bytes": one.total}
            for one in status.tables
        ],
        "tick_parts": status.tick_parts and _fields(status.tick_parts, largest="largest_bytes"),
        "tick_compression": _compression_json(status.tick_compression),
    }


def _compression_json(pressed: Compression | None) -> dict[str, Any] | None:
    if pressed is None:
        return None
    return _fields(pressed, before="before_bytes", after="after_bytes") | {"ratio": round(pressed.ratio, 2)}


def _symbol_json(symbol: SymbolStatus) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in _fields(symbol, name="symbol", stored="stored_trades", bytes="estimated_bytes").items():
        document[key] = value
        if key == "ranges":
            document["gaps"] = symbol.ranges - 1
    return document


def _fields(record: Any, **keys: str) -> dict[str, Any]:
    """Return a dataclass's fields in order, some under other ``keys``; ``…_us`` becomes an ISO time without it."""
    document = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name.endswith("_us"):
            document[field.name.removesuffix("_us")] = _iso(value)
        else:
            document[keys.get(field.name, field.name)] = value
    return document


def spool_text(summary: SpoolSummary, plural: str = "trades") -> str:
    """Return one sentence about the rows spooled on disk, without its full stop; empty if there are none."""
    if summary.problem:
        return (
            f"The spool on disk cannot be read ({summary.problem}): the next start sets it aside and keeps what can be "
            "read of it"
        )
    if not summary.rows:
        return ""
    wait = f"1 {plural.removesuffix('s')} waits" if summary.rows == 1 else f"{summary.rows:,} {plural} wait"
    return f"{wait} on disk for the database, from {_moment(summary.first_us)} to {_moment(summary.last_us)} UTC"


def spool_json(summary: SpoolSummary, plural: str = "trades") -> dict[str, Any]:
    """Return the summary for `json.dumps`; under ``symbols`` each trade counts once, and each time with ticks."""
    return {
        plural: summary.rows,
        "first": _iso(summary.first_us),
        "last": _iso(summary.last_us),
        "symbols": {symbol: ids.count() for symbol, ids in sorted(summary.ids.items())},
        "problem": summary.problem or None,
    }


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return rows of text as a table: the first ``left`` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _version(status: DatabaseStatus) -> str:
    if status.version < status.program_version:
        return (
            f"Tables of version {status.version}; the next start of the window or of collect brings them to version "
            f"{status.program_version}."
        )
    if status.version > status.program_version:
        return f"Tables of version {status.version}, which is newer than this program: upgrade it before recording."
    return f"Tables of version {status.version}."


def _symbols(status: DatabaseStatus) -> str:
    if not status.symbols:
        has_ticks = status.tick_parts is not None and any(one.name == "quotes" and one.rows for one in status.tables)
        return "Ticks are recorded, and no trades." if has_ticks else "No trades are recorded yet."
    rows = [
        (
            one.name,
            f"{one.trades:,}",
            f"{one.ranges - 1:,}",
            f"{one.missing:,}",
            _moment(one.oldest_us),
            _moment(one.newest_us),
            f"≈ {data_size(one.bytes)}",
        )
        for one in status.symbols
    ]
    if len(rows) > 1:
        total = [sum(getattr(one, name) for one in status.symbols) for name in ("trades", "missing", "ranges")]
        gaps = total[2] - len(rows)
        rows.append(("all", f"{total[0]:,}", f"{gaps:,}", f"{total[1]:,}", "", "", ""))
    header = ("symbol", "trades", "gaps", "missing", "oldest trade (UTC)", "newest trade (UTC)", "size")
    return aligned(header, rows)


def _storage(status: DatabaseStatus) -> str:
    lines = _parts("Trades", status.parts, status.compression)
    if status.kept_from_us is not None:
        lines.append(f"Those before {_moment(status.kept_from_us)[:10]} may have been dropped; their candles stay.")
    if status.refused:
        trades = "trade was" if status.refused == 1 else "trades were"
        lines.append(f"{status.refused:,} {trades} refused: the table refused_trades has the reason.")
    if status.tick_parts is not None:
        lines += _parts("Ticks", status.tick_parts, status.tick_compression)
    return "\n".join(lines)


def _parts(plural: str, parts: PartitionSummary, pressed: Compression | None) -> list[str]:
    """Return in which partitions or chunks trades or ticks lie, and how many of these are compressed."""
    lines = [f"{plural} lie in {parts.count:,} {parts.kind if parts.count != 1 else parts.kind[:-1]}"]
    if parts.start_us is not None:
        lines[0] += (
            f", from {_moment(parts.start_us)[:10]} to {_moment(parts.end_us)[:10]}; the largest takes"
            f" {data_size(parts.largest)}"
        )
    lines[0] += "."
    if pressed is not None and parts.count:
        lines.append(
            f"{pressed.chunks:,} of them are compressed: {data_size(pressed.before)} became "
            f"{data_size(pressed.after)}, {pressed.ratio:.1f} times smaller."
            if pressed.chunks
            else "None of them is compressed yet: that happens 7 days after its time."
        )
    return lines


def _tables(status: DatabaseStatus) -> str:
    rows = [
        (one.name, _rows(one), data_size(one.data), data_size(one.indexes), data_size(one.total))
        for one in status.tables
    ]
    notes = "≈ is an estimate: of rows by the server, of a symbol's size by its share of the trades."
    return aligned(("table", "rows", "data", "indexes", "total"), rows) + f"\n\n{notes}"


def _rows(table: TableSize) -> str:
    if table.rows is None:
        return "not known yet"
    return f"{table.rows:,}" if table.exact else f"≈ {table.rows:,}"


def data_size(count: int) -> str:
    """Return a number of bytes as ``3.4 MB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit in {"B", "kB"} or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def _moment(time_us: int | None) -> str:
    return "–" if time_us is None else f"{_EPOCH + timedelta(microseconds=time_us):%Y-%m-%d %H:%M:%S}"


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else (_EPOCH + timedelta(microseconds=time_us)).isoformat()
