"""
Retention of trades and ticks: the confirmed period, and dropping what is older.

The period is recorded in the database, so that all its programs agree. Nothing is dropped until a person has seen what
would be dropped (`plan`) and confirmed the period (`confirm`). The setting keep_trades only proposes one: a period
longer than the confirmed one takes effect at once, a shorter one waits for confirmation. Candles and coverage are kept,
so candles stay complete without their trades, and dropped ids are never fetched again.

One period holds for both, but it is recorded for each: one that was confirmed before there were ticks says nothing of
them until it is confirmed again. The program drops old ticks itself, on every edition.

Whole parts are dropped (`storage.retention.droppable_parts`), except those backfilled in the last week. On TimescaleDB
Community its own retention policy drops them. That policy cannot spare parts, so while any is spared the policy is
postponed and the other parts are dropped here.

The record may name a lake. Then a part is dropped only once that lake holds all of it (`storage.retention.lake_check`),
and always by the program, never by TimescaleDB's policy, which cannot ask.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg import sql

from app.market.errors import StoreError
from storage.postgres.advisory_locks import database_lock, try_database_lock
from storage.postgres.connection import Connection, Edition, facts_of, translated
from storage.retention import droppable_parts
from storage.retention.droppable_parts import DroppablePart
from storage.retention.lake_check import LakeCheck, OpenLake
from storage.schema.editions import (
    is_being_converted,
    is_hypertable,
    owns_trades,
    refuse_unreadable_trades,
    timescale_schema,
)
from storage.schema.retention_period import RetentionPeriod
from storage.schema.retention_record import RetentionRecord, read_retention, ticks_kept_for
from storage.writing.stored_table import QUOTES, TRADES, StoredTable

logger = logging.getLogger(__name__)

_SET_LAKE = "UPDATE retention SET lake = %s"
_CONFIRM = """
    UPDATE {} SET keep = %(keep)s, keep_for = %(interval)s::interval,
        confirmed_at = CASE WHEN %(keep)s::text IS NOT NULL THEN now() END
"""
# Record how far the policy has dropped trades, because nothing shows that once it is removed.
_END_POLICY = """
    UPDATE retention SET by_policy = false,
        kept_from = greatest(kept_from, date_trunc('day', now() - keep_for, 'UTC') + interval '1 day')
    WHERE by_policy
"""
_POLICY_JOB = """
    SELECT job_id, (config ->> 'drop_after')::interval = %s::interval, coalesce(next_start >= %s, false)
    FROM timescaledb_information.jobs
    WHERE proc_name = 'policy_retention' AND hypertable_schema = current_schema() AND hypertable_name = 'trades'
"""
_FORGET_LATE_DAYS = "DELETE FROM {} WHERE stored_at < now() - %s::interval"


class WaitingPart(NamedTuple):
    """A part that must stay until the lake holds it, and why it does not, as a clause."""

    part: DroppablePart
    reason: str


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """
    What a retention period would drop: ``parts`` now, ``spared`` later, because they were backfilled recently.

    Both are sorted by time, oldest first. ``by_policy``: TimescaleDB's policy drops the parts, when it next runs.
    ``ticks`` is the same for ticks, None if no period is confirmed for them or this is that plan. ``waiting``: parts as
    old that the record's lake does not hold.
    """

    keep: RetentionPeriod
    parts: list[DroppablePart]
    spared: list[DroppablePart]
    by_policy: bool = False
    ticks: RetentionPlan | None = None
    waiting: tuple[WaitingPart, ...] = ()

    @property
    def rows(self) -> int:
        """The number of trades, or ticks, that would be dropped now."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        """The bytes that dropping them would free."""
        return sum(part.bytes for part in self.parts)

    @property
    def symbols(self) -> list[str]:
        """The symbols of those trades, sorted by name."""
        return sorted({name for part in self.parts for name in part.symbols})


def plan(
    connection: Connection, keep: RetentionPeriod, lake: str = "", open_lake: OpenLake | None = None
) -> RetentionPlan:
    """
    Return what the retention period ``keep`` would drop today; changes nothing.

    ``lake``: only parts that are in that lake by its manifests. ``open_lake``: see `enforce`.

    Raises:
        StoreSchemaMismatch: If trades are compressed and this edition cannot read them: nobody could look at them
            first. `enforce` drops nothing then, either.
        StoreError: If the database does not answer.
    """
    with translated("look for trades to drop"):
        refuse_unreadable_trades(connection)
        check = LakeCheck(connection, lake, open_lake) if lake else None
        ticks = _without_waiting(_plan_of(connection, keep, QUOTES), check)
        trades = _without_waiting(_plan_of(connection, keep, TRADES), check)
    return replace(trades, ticks=ticks)


def _plan_of(connection: Connection, keep: RetentionPeriod, table: StoredTable) -> RetentionPlan:
    old = droppable_parts.parts_older_than(connection, keep, table)
    return RetentionPlan(
        keep, [part for part in old if not part.spared_until_us], [part for part in old if part.spared_until_us]
    )


def _without_waiting(planned: RetentionPlan, check: LakeCheck | None) -> RetentionPlan:
    """Return the plan; parts that the lake's manifests do not name wait."""
    if check is None:
        return planned
    lacks = [(part, check.lack(part, verified=False)) for part in planned.parts]
    waiting = tuple(WaitingPart(part, reason) for part, reason in lacks if reason)
    return replace(planned, parts=[part for part, reason in lacks if not reason], waiting=waiting)


def confirm(connection: Connection, keep: RetentionPeriod | None, lake: str = "") -> None:
    """
    Set the retention period of trades and ticks; None keeps all. The next `enforce` drops the older ones.

    ``lake``: parts that it does not hold stay; empty for no lake.

    Raises:
        StoreError: If the database does not answer, or this user may not change its tables.
    """
    with translated("change the retention of trades"), database_lock(connection), connection.transaction():
        _write_period(connection, keep)
        connection.execute(_SET_LAKE, (lake or None,))


def unconfirmed_notice(record: RetentionRecord, proposed: RetentionPeriod | None) -> str:
    """Return the sentence that asks to confirm the proposed period; empty if there is nothing to confirm."""
    if proposed is None or (record.keep is not None and proposed.days >= record.keep.days):
        return ""
    kept = "all trades are kept" if record.keep is None else f"trades are kept for {record.keep.words}"
    return (
        f"The setting keep_trades says {proposed.words} only, which nobody has confirmed for this database, so {kept}: "
        f"`cryptopipe db retention {proposed}` shows what would be dropped and asks."
    )


def enforce(
    connection: Connection,
    proposed: RetentionPeriod | str | None = None,
    open_lake: OpenLake | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> RetentionPlan | None:
    """
    Drop the trades older than the confirmed period; return the dropped and the spared parts, or None.

    ``proposed`` is the user's setting: `storage.schema.retention_period.OFF` keeps all trades, None means not set. A
    period longer than the confirmed one replaces it; a shorter one is only logged. Returns None if no period is
    confirmed, and also, without doing anything, if another program is doing such work, a conversion is unfinished or
    the role does not own the tables. Under TimescaleDB's policy (``by_policy``), the result is what it will drop.
    ``open_lake`` opens the record's lake, if it names one; without it, or where that fails, all parts wait.
    Once ``is_cancelled``, the lake is read no further, and the parts that it was not read for wait.

    Raises:
        StoreSchemaMismatch: As `plan`; nothing was dropped.
        StoreError: If the database does not answer. Parts dropped until then stay dropped.
    """
    with translated("drop old trades"), try_database_lock(connection) as is_locked:
        if not is_locked or not owns_trades(connection) or is_being_converted(connection):
            return None
        record = _apply_longer_period(connection, read_retention(connection), proposed)
        sentence = unconfirmed_notice(record, proposed if isinstance(proposed, RetentionPeriod) else None)
        if sentence:
            logger.warning(sentence)
        for table in (TRADES, QUOTES):
            forget = sql.SQL(_FORGET_LATE_DAYS).format(sql.Identifier(table.late_days))
            connection.execute(forget, (droppable_parts.SPARED_FOR,))
        if record.keep is None:
            return None
        planned = plan(connection, record.keep)
        check = LakeCheck(connection, record.lake, open_lake, is_cancelled) if record.lake else None
        ticks = _drop_ticks(connection, check)
        if _supports_policies(connection) and check is None:
            _schedule_policy(connection, record.keep, planned.spared)
            by_policy = not planned.spared
        else:
            if check is not None:
                _remove_policy(connection)
            connection.execute(_END_POLICY)
            by_policy = False
        gone, waiting = (planned.parts, ()) if by_policy else _drop_parts(connection, planned.parts, check)
        done = RetentionPlan(record.keep, gone, planned.spared, by_policy, ticks, waiting)
        _log_result(done)
        return done


def _drop_parts(
    connection: Connection, parts: Sequence[DroppablePart], check: LakeCheck | None
) -> tuple[list[DroppablePart], tuple[WaitingPart, ...]]:
    """Drop the parts that the lake holds; return the dropped and the waiting parts."""
    gone, waiting = list[DroppablePart](), list[WaitingPart]()
    for part in parts:
        reason = "" if check is None else check.lack(part, verified=True)
        if reason:
            waiting.append(WaitingPart(part, reason))
        elif droppable_parts.drop(connection, part):
            gone.append(part)
    return gone, tuple(waiting)


def _drop_ticks(connection: Connection, check: LakeCheck | None) -> RetentionPlan | None:
    """Drop the ticks older than the period that is confirmed for them; None without one."""
    keep = ticks_kept_for(connection)
    if keep is None:
        return None
    planned = _plan_of(connection, keep, QUOTES)
    gone, waiting = _drop_parts(connection, planned.parts, check)
    done = RetentionPlan(keep, gone, planned.spared, waiting=waiting)
    _log_result(done, QUOTES.plural)
    return done


def _apply_longer_period(
    connection: Connection, record: RetentionRecord, proposed: RetentionPeriod | str | None
) -> RetentionRecord:
    if record.keep is None or proposed is None:
        return record
    longer = proposed if isinstance(proposed, RetentionPeriod) else None
    if longer is not None and longer.days <= record.keep.days:
        return record
    with connection.transaction():
        _write_period(connection, longer)
    logger.info("Trades are now kept %s, as configured", "without limit" if longer is None else f"for {longer.words}")
    return read_retention(connection)


def _write_period(connection: Connection, keep: RetentionPeriod | None) -> None:
    _remove_policy(connection)
    connection.execute(_END_POLICY)
    values: dict[str, Any] = {"keep": None, "interval": None}
    if keep is not None:
        values = {"keep": str(keep), "interval": keep.interval}
    written = [
        connection.execute(sql.SQL(_CONFIRM).format(sql.Identifier(table.retention)), values).rowcount
        for table in (TRADES, QUOTES)
    ]
    if written != [1, 1]:
        raise StoreError("The database's retention record is missing: restore a backup, or use another database.")


def _supports_policies(connection: Connection) -> bool:
    return facts_of(connection).edition is Edition.TIMESCALE_COMMUNITY and is_hypertable(connection)


def _schedule_policy(connection: Connection, keep: RetentionPeriod, spared: list[DroppablePart]) -> None:
    """Schedule TimescaleDB's policy, to run only after all spared parts may be dropped."""
    schema = timescale_schema(connection)
    assert schema is not None
    not_before_us = max((part.spared_until_us or 0 for part in spared), default=0)
    not_before = datetime.fromtimestamp(not_before_us / 1_000_000 + 1, UTC) if not_before_us else datetime.now(UTC)
    with connection.transaction():
        job = connection.execute(_POLICY_JOB, (keep.interval, not_before)).fetchone()
        if job is None or not job[1]:
            _remove_policy(connection)
            connection.execute(
                sql.SQL(
                    "SELECT {}.add_retention_policy('trades', drop_after => {}::interval,"
                    " schedule_interval => interval '1 day', initial_start => {}::timestamptz)"
                ).format(schema, sql.Literal(keep.interval), sql.Literal(not_before))
            )
        elif spared and not job[2]:
            connection.execute(
                sql.SQL("SELECT {}.alter_job({}, next_start => {}::timestamptz)").format(
                    schema, sql.Literal(job[0]), sql.Literal(not_before)
                )
            )
        connection.execute("UPDATE retention SET by_policy = true")


def _remove_policy(connection: Connection) -> None:
    schema = timescale_schema(connection)
    if schema is None or not _supports_policies(connection):
        return
    connection.execute(sql.SQL("SELECT {}.remove_retention_policy('trades', if_exists => true)").format(schema))


def _log_result(dropped: RetentionPlan, plural: str = TRADES.plural) -> None:
    if dropped.parts:
        logger.info(
            "Retention of %s %s %d %s of %d symbols, from %s to %s (%.1f MB)",
            dropped.keep.words,
            "lets TimescaleDB drop" if dropped.by_policy else "dropped",
            dropped.rows,
            plural,
            len(dropped.symbols),
            _day(dropped.parts[0].start_us),
            _day(dropped.parts[-1].end_us),
            dropped.bytes / 1e6,
        )
    for waiting in dropped.waiting[:1]:
        logger.info(
            "%d %s older than %s wait for the lake: %s",
            sum(one.part.rows for one in dropped.waiting),
            plural,
            dropped.keep.words,
            waiting.reason,
        )
    if dropped.spared:
        last_us = max(part.spared_until_us or 0 for part in dropped.spared)
        logger.info(
            "%d %s from %s to %s are older than %s, but some were stored in the last week: they are kept until %s",
            sum(part.rows for part in dropped.spared),
            plural,
            _day(dropped.spared[0].start_us),
            _day(dropped.spared[-1].end_us),
            dropped.keep.words,
            _day(last_us),
        )


def _day(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1_000_000, UTC):%Y-%m-%d}"
