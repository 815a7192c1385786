"""The differences that `storage.integrity.verify` found, as text for people and as JSON for programs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from app.commands.reports.status_report import aligned
from storage.integrity.differences import REBUILDABLE, Difference, DifferenceKind, DifferenceReport

_MAX_ROWS = 10  # of each symbol and kind
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_WIDTH = 200


def report_text(report: DifferenceReport, seconds: float) -> str:
    """Return one sentence if nothing differs, else a table, with at most `_MAX_ROWS` rows of each symbol and kind."""
    if not report.totals:
        plural = "rows" if report.ticks else "trades"
        speed = f"{seconds:,.1f} s, {(report.trades + report.ticks) / max(seconds, 1e-3):,.0f} {plural}/s"
        names = f"{len(report.symbols):,} symbols" if len(report.symbols) != 1 else report.symbols[0]
        compared = f"{report.trades:,} trades" + (f" and {report.ticks:,} ticks" if report.ticks else "")
        return f"Nothing differs: {compared} of {names} agree with their ranges and candles ({speed})."
    shown: Counter[tuple[str, DifferenceKind]] = Counter()
    rows = []
    for one in report.listed:
        shown[one.symbol, one.kind] += 1
        if shown[one.symbol, one.kind] <= _MAX_ROWS:
            rows.append((one.symbol, one.kind.value, _place(one), one.what[:_MAX_WIDTH]))
    lines = [aligned(("symbol", "kind", "where", "what"), rows, left=4), ""]
    lines += [f"{name}: {kind.value}: {number:,}" for (name, kind), number in sorted(report.totals.items())]
    return "\n".join(lines)


def report_json(report: DifferenceReport, seconds: float) -> dict[str, Any]:
    """Return the same for `json.dumps`; times as ISO 8601 in UTC, null where a key does not apply."""
    return {
        "trades": report.trades,
        "ticks": report.ticks,
        "symbols": report.symbols,
        "seconds": round(seconds, 3),
        "totals": [
            {"symbol": name, "kind": kind.value, "number": number}
            for (name, kind), number in sorted(report.totals.items())
        ],
        "differences": [
            {
                "symbol": one.symbol,
                "kind": one.kind.value,
                "number": one.number,
                "what": one.what,
                "first_trade_id": one.first_trade_id,
                "last_trade_id": one.last_trade_id,
                "table": one.table,
                "open_time": None if one.open_time_us is None else _moment(one.open_time_us).isoformat(),
            }
            for one in report.listed
        ],
    }


def mended_text(mended: Counter[tuple[str, DifferenceKind]]) -> str:
    """Return what was mended, one line per symbol and kind."""
    if not mended:
        return "There was nothing to mend."
    lines = [f"{name}: {kind.value}: {number:,}" for (name, kind), number in sorted(mended.items())]
    if any(kind is DifferenceKind.MISSING for _, kind in mended):
        lines.append("The missing trades count as missing now: recording fetches them where the exchange still can.")
    return "\n".join(["Mended:", *lines])


def advice(report: DifferenceReport) -> str:
    """Return one sentence that says how much differs and what to do about it."""
    mendable = sum(number for (_, kind), number in report.totals.items() if kind in REBUILDABLE)
    others = sum(number for (_, kind), number in report.totals.items() if kind not in REBUILDABLE)
    if not others and mendable == 1:
        return "1 difference was found: cryptopipe db rebuild mends it."
    if not others:
        return f"{mendable:,} differences were found: cryptopipe db rebuild mends them."
    lost = (
        f"{others:,} differences cannot be mended, because the trades of their time were dropped: restore a backup, "
        "or live with them"
    )
    return f"{lost}; {mendable:,} more can, with cryptopipe db rebuild." if mendable else f"{lost}."


def _place(one: Difference) -> str:
    if one.open_time_us is not None:
        return f"{one.table} {_moment(one.open_time_us):%Y-%m-%d %H:%M:%S}"
    if one.first_trade_id is None:
        return ""
    ids = str(one.first_trade_id)
    return ids if one.last_trade_id == one.first_trade_id else f"{ids}–{one.last_trade_id}"


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
