"""
Checks that a lake holds the parts that retention is about to drop.

A part waits until each of its days is in the lake. The manifest is checked first, with one small request per day; then
the day is read whole, its bytes against their SHA-256 and its rows against their counts. Of trades, the lake's day must
hold every id of the database's day; of ticks, as many rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError, LakeDamaged
from storage.lake.partition import LakeKind, Partition, day_text
from storage.postgres.connection import Connection
from storage.retention.droppable_parts import DroppablePart
from storage.rollups.time_sql import microseconds
from storage.writing.stored_table import TRADES

if TYPE_CHECKING:
    from storage.lake.lake import Lake
    from storage.lake.manifest import Manifest

OpenLake = Callable[[str], "Lake"]
"""Opens the lake at an address; raises UsageError and LakeError."""

_DAYS = """
    SELECT s.symbol, {open_us}, {count}::bigint, {ids} FROM {days} r JOIN symbols s ON s.id = r.symbol_id
    WHERE open_time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND open_time < timestamptz 'epoch' + %s * interval '1 microsecond'
    ORDER BY open_time, s.symbol
"""
_TRADE_IDS = "first_trade_id, last_trade_id"
_NO_IDS = "NULL::bigint, NULL::bigint"
_CANCELLED = "its check was cancelled"


class StoredDay(NamedTuple):
    """A day of the database: its number of rows, and of trades the lowest and the highest id."""

    symbol: str
    day_us: int
    rows: int
    first: int | None
    last: int | None


class LakeCheck:
    """
    Checks parts against the lake that ``text`` names; ``open_lake`` is called for the first part.

    Once ``is_cancelled``, a check ends early and its part stays.
    """

    def __init__(
        self,
        connection: Connection,
        text: str,
        open_lake: OpenLake | None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connection = connection
        self._text = text
        self._open_lake = open_lake
        self._is_cancelled = is_cancelled
        self._lake: Lake | None = None
        self._listed: dict[tuple[LakeKind, str], frozenset[Partition]] = {}
        self._failure = ""

    def lack(self, part: DroppablePart, *, verified: bool) -> str:
        """
        Return why a part must stay, as a clause; empty if the lake holds all of it.

        ``verified``: read its days, too; else their manifests alone. Raises psycopg.Error.
        """
        if self._failure:
            return self._failure
        if self._is_cancelled():
            return _CANCELLED
        days = self._stored_days(part)
        try:
            return self._lack(part, days, verified=verified)
        except LakeDamaged as error:
            return str(error).rstrip(".")
        except CryptopipeError as error:  # the lake is away: ask again at the next run, not for each part
            self._failure = str(error).rstrip(".")
            return self._failure

    def _lack(self, part: DroppablePart, days: list[StoredDay], *, verified: bool) -> str:
        if self._open_lake is None:
            return f"this program cannot read the lake {self._text}"
        lake = self._lake = self._lake or self._open_lake(self._text)
        kind = LakeKind.TRADES if part.of is TRADES else LakeKind.QUOTES
        partitions = [Partition(kind, day.symbol, day_text(day.day_us)) for day in days]
        for one in partitions:
            if one not in self._listing(lake, kind, one.symbol):
                return f"{one.symbol} {one.period} is not in the lake {lake.name}"
        manifests = lake.sound_manifests(partitions, self._is_cancelled)
        if self._is_cancelled():
            return _CANCELLED
        for day, manifest in zip(days, manifests, strict=True):
            if not holds(manifest, day):
                period = manifest.partition.period
                return f"{day.symbol} {period} has other {kind} in the lake {lake.name} than in the database"
        return self._damage(lake, manifests) if verified else ""

    def _listing(self, lake: Lake, kind: LakeKind, symbol: str) -> frozenset[Partition]:
        """Return the symbol's days in the lake; each symbol is listed once."""
        if (kind, symbol) not in self._listed:
            self._listed[kind, symbol] = frozenset(lake.partitions(kind, symbol))
        return self._listed[kind, symbol]

    def _damage(self, lake: Lake, manifests: list[Manifest]) -> str:
        from storage.lake.verify import Verification  # here: it loads Arrow, and a window retains without it

        report = Verification(lake, is_cancelled=self._is_cancelled).run_days(manifests)
        if report.problems:
            return report.problems[0].what.rstrip(".")
        return _CANCELLED if report.is_cancelled else ""

    def _stored_days(self, part: DroppablePart) -> list[StoredDay]:
        query = sql.SQL(_DAYS).format(
            open_us=microseconds("open_time"),
            count=sql.Identifier(part.of.count),
            ids=sql.SQL(_TRADE_IDS if part.of is TRADES else _NO_IDS),
            days=sql.Identifier(part.of.days),
        )
        rows = self._connection.execute(query, (part.start_us, part.end_us)).fetchall()
        return [StoredDay(*row) for row in rows]


def holds(manifest: Manifest, day: StoredDay) -> bool:
    """Whether a day of the lake has every row of the database's day, by their counts. Pure."""
    if day.first is None or day.last is None:
        return manifest.rows == day.rows
    if manifest.first is None or manifest.last is None or not manifest.first <= day.first <= day.last <= manifest.last:
        return False
    absent = IdRanges(IdRanges(manifest.absent).within(manifest.first, manifest.last)).count()
    has_every_id = manifest.rows == manifest.last - manifest.first + 1 - absent
    is_same = (manifest.rows, manifest.first, manifest.last) == (day.rows, day.first, day.last)
    return is_same or (has_every_id and manifest.rows >= day.rows)
