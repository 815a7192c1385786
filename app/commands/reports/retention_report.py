"""Retention and conversion, as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.commands.reports.status_report import aligned
from storage.retention.droppable_parts import DroppablePart
from storage.retention.policy import RetentionPlan, WaitingPart, unconfirmed_notice
from storage.schema.retention_period import RetentionPeriod
from storage.schema.retention_record import RetentionRecord
from storage.timescale.conversion import Conversion, due_sentence

_MAX_PARTS = 24  # in a table
_MAX_NAMES = 5  # symbols; beyond that only their number
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """
    The database's retention, the period that the settings propose, and the conversions that are due.

    ``waiting``: old ``trades`` and ``ticks`` that its lake does not hold yet.
    """

    held: RetentionRecord
    proposed: RetentionPeriod | None
    conversion: Conversion | None
    ticks_conversion: Conversion | None = None
    waiting: Mapping[str, Sequence[WaitingPart]] = field(default_factory=dict)


def upkeep_text(upkeep: RetentionReport) -> str:
    """Return some lines: the period in force, one to be confirmed, what waits, and the conversions that are due."""
    lines = [held_text(upkeep.held), unconfirmed_notice(upkeep.held, upkeep.proposed)]
    for plural, waiting in upkeep.waiting.items():
        lines += waiting_lines(waiting, plural)[:1]
    lines += [due_sentence(due) for due in (upkeep.conversion, upkeep.ticks_conversion) if due is not None]
    return "\n".join(line for line in lines if line)


def upkeep_json(upkeep: RetentionReport) -> dict[str, Any]:
    """Return the same for `json.dumps`."""
    held = upkeep.held
    return {
        "retention": {
            "keep": None if held.keep is None else str(held.keep),
            "confirmed_at": _iso(held.confirmed_at_us),
            "kept_from": _iso(held.kept_from_us),
            "by_policy": held.by_policy,
            "lake": held.lake or None,
            "waiting_for_lake": {
                plural: [_waiting(one) for one in waiting] for plural, waiting in upkeep.waiting.items()
            },
            "waiting": unconfirmed_notice(held, upkeep.proposed) or None,
        },
        "conversion": _conversion_json(upkeep.conversion, "trades"),
        "ticks_conversion": _conversion_json(upkeep.ticks_conversion, "ticks"),
    }


def _conversion_json(due: Conversion | None, plural: str) -> dict[str, Any] | None:
    return None if due is None else {plural: due.rows, "bytes": due.bytes, "begun": due.begun}


def held_text(held: RetentionRecord) -> str:
    """Return in one line how long trades are kept."""
    if held.keep is None:
        return "All trades are kept."
    by = ", by TimescaleDB's policy" if held.by_policy else ""
    lake = f", and until the lake {held.lake} holds them" if held.lake else ""
    confirmed = f"(confirmed on {_day(held.confirmed_at_us)})"
    return f"Trades are kept for {held.keep.words} {confirmed}{by}{lake}; candles for ever."


def plan_text(plan: RetentionPlan, *, done: bool = False, plural: str = "trades") -> str:
    """
    Return the parts that retention would drop as lines, or with ``done`` has dropped; only parts with trades or ticks.

    What is left to TimescaleDB's policy is not dropped yet, and is not called so.
    """
    parts, spared = ([part for part in some if part.rows] for some in (plan.parts, plan.spared))
    if not parts:
        lines = [f"Keeping {plural} for {plan.keep.words} {'dropped' if done else 'drops'} nothing now."]
    else:
        verb, when = ("has TimescaleDB drop", " at its policy's next run") if plan.by_policy else ("dropped", "")
        verb, when = (verb, when) if done else ("drops", "")
        span = f"from {_day(parts[0].start_us)} to {_day(parts[-1].end_us)}"
        lines = [
            f"Keeping {plural} for {plan.keep.words} {verb} {plan.rows:,} {plural} of {_names(plan.symbols)}, "
            f"{span}: {plan.bytes / 1e6:,.1f} MB{when}. Candles stay.",
            *([] if done else ["", _table(parts)]),
        ]
    if spared:
        last_us = max(part.spared_until_us or 0 for part in spared)
        lines += [
            "",
            f"{sum(part.rows for part in spared):,} {'more' if parts else plural} are as old, but some were stored "
            f"in the last week: they are kept until {_day(last_us)}.",
            *([] if done else [_table(spared)]),
        ]
    if waiting := waiting_lines(plan.waiting, plural):
        lines += ["", *waiting]
    if plan.ticks is not None and _has_rows(plan.ticks):
        lines += ["", plan_text(plan.ticks, done=done, plural="ticks")]
    return "\n".join(lines)


def waiting_lines(waiting: Sequence[WaitingPart], plural: str) -> list[str]:
    """Return what waits for the lake and why, part by part; none if nothing does."""
    waiting = [one for one in waiting if one.part.rows]
    if not waiting:
        return []
    rows = sum(one.part.rows for one in waiting)
    lines = [f"{rows:,} {plural} are as old and stay until the lake holds them: {waiting[0].reason}."]
    lines += [f"  {_day(one.part.start_us)} to {_day(one.part.end_us)}: {one.reason}" for one in waiting[:_MAX_PARTS]]
    if len(waiting) > _MAX_PARTS:
        lines.append(f"  … and {len(waiting) - _MAX_PARTS:,} more")
    return [*lines, "cryptopipe lake push brings them there."]


def _has_rows(plan: RetentionPlan) -> bool:
    parts = (*plan.parts, *plan.spared, *(one.part for one in plan.waiting))
    return any(part.rows for part in parts)


def plan_json(plan: RetentionPlan) -> dict[str, Any]:
    """Return the same for `json.dumps`: sizes in bytes, times as ISO 8601 in UTC; ticks under a key of their own."""
    answer = _plan_json(plan)
    if plan.ticks is not None:
        answer["ticks"] = _plan_json(plan.ticks)
    return answer


def _plan_json(plan: RetentionPlan) -> dict[str, Any]:
    return {
        "keep": str(plan.keep),
        "trades": plan.rows,
        "bytes": plan.bytes,
        "symbols": plan.symbols,
        "parts": [_part(part) for part in plan.parts],
        "waiting": [_waiting(one) for one in plan.waiting],
        "spared": [{**_part(part), "until": _iso(part.spared_until_us)} for part in plan.spared],
    }


def _waiting(one: WaitingPart) -> dict[str, Any]:
    return {**_part(one.part), "reason": one.reason}


def _part(part: DroppablePart) -> dict[str, Any]:
    return {
        "name": part.name,
        "start": _iso(part.start_us),
        "end": _iso(part.end_us),
        "trades": part.rows,
        "bytes": part.bytes,
        "symbols": list(part.symbols),
    }


def _table(parts: Sequence[DroppablePart]) -> str:
    rows = [
        (
            _day(part.start_us),
            _day(part.end_us),
            _names(part.symbols),
            f"{part.rows:,}",
            f"{part.bytes / 1e6:,.1f} MB",
        )
        for part in parts[:_MAX_PARTS]
    ]
    table = aligned(("from", "to", "symbols", parts[0].of.plural, "size"), rows, left=3)
    return table if len(parts) <= _MAX_PARTS else f"{table}\n… and {len(parts) - _MAX_PARTS:,} more"


def _names(symbols: Sequence[str]) -> str:
    return ", ".join(symbols) if len(symbols) <= _MAX_NAMES else f"{len(symbols):,} symbols"


def _day(time_us: int | None) -> str:
    return "–" if time_us is None else f"{_EPOCH + timedelta(microseconds=time_us):%Y-%m-%d}"


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else (_EPOCH + timedelta(microseconds=time_us)).isoformat()
