"""
Computes the indicators of a series and stores them: by a staged bulk update, or for the newest rows alone.

The bulk update begins far enough before the first changed row to give the values of a full run, and ends where no value
can differ. COPY brings the values into a temporary table with a key, and one UPDATE stores them. The newest rows are
computed from the stored rows of their own phase, which an index finds; sums of a session from the session's minutes.
Both ways give the same values to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from app.market.columns.candle_columns import PRICE_COLUMNS
from app.market.columns.rolling import MINUTE_US
from app.market.file_columns import MINUTE_INDEX
from app.market.indicators.definition import BAR_COLUMNS
from app.market.indicators.phase_values import Figures, PhaseValues, figures_of, session_start_us
from app.market.indicators.research_names import NamedIndicator
from app.market.ports.storage import CandleReader
from storage.postgres.batch_columns import COPY_HEADER, COPY_TRAILER
from storage.postgres.binary_rows import ColumnType, RowLayout
from storage.postgres.connection import Connection
from storage.research.minutes import MinuteRange, read_minutes
from storage.research.row_writer import copy_rows
from storage.research.tables import table_of
from storage.research.window_rows import windows_ending
from storage.rollups.time_sql import microseconds

_PART = 300_000  # minutes that are read and computed at a time
MOST_NEWEST = 64
"""The most rows that are computed as the newest ones."""

_OLDEST = "SELECT {time_us} FROM {table} WHERE symbol = %s ORDER BY timestamp LIMIT 1"
_ROW_TIME = np.dtype([("fields", ">i2"), ("size", ">i4"), ("time_us", ">i8")])
_FRAME = len(COPY_HEADER) + len(COPY_TRAILER)
_ROWS_OF_PHASE = """
    SELECT {time_us}, open, high, low, close, volume, trade_count FROM {table}
    WHERE symbol = %s AND minute_index = %s AND timestamp <= %s ORDER BY timestamp DESC LIMIT %s
"""


class IndicatorValues:
    """
    The indicators ``named`` of one series. ``connection``: in a transaction, and with the lock of the series.

    ``stored``: the range of its minutes. Raises StoreError and psycopg.Error.
    """

    def __init__(
        self,
        connection: Connection,
        store: CandleReader,
        symbol: str,
        minutes: int,
        named: Sequence[NamedIndicator],
        stored: MinuteRange,
    ) -> None:
        self._connection, self._store, self._symbol, self._minutes = connection, store, symbol, minutes
        self._named, self._stored = named, stored
        self._length_us = minutes * MINUTE_US
        self._last_us = 0  # the newest row that was staged
        self._columns = [column for one in named for column in one.columns]

    def update(
        self,
        first_us: int | None = None,
        last_us: int | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> int:
        """
        Store the values of the rows from ``first_us`` on; rows up to ``last_us`` are new or have changed.

        Without both, store the values of all rows. Return the number of changed rows. ``on_progress`` takes the number
        of rows computed since the last call.
        """
        oldest = self._connection.execute(
            sql.SQL(_OLDEST).format(time_us=microseconds("timestamp"), table=table_of(self._minutes)), (self._symbol,)
        ).fetchone()
        if not self._named or oldest is None:
            return 0
        oldest_us = int(oldest[0])
        begin_us = oldest_us if first_us is None else max(first_us, oldest_us)
        self._connection.execute(self._stage())
        span = 1
        while not self._stage_from(begin_us, last_us, oldest_us, span, on_progress):
            span *= 2
        return self._from_stage(begin_us)

    def update_newest(self, first_us: int) -> int:
        """Store the values of the rows from ``first_us`` on, at most `MOST_NEWEST`; return the number changed."""
        if not self._named:
            return 0
        found = self._connection.execute(
            sql.SQL("SELECT {}, minute_index FROM {} WHERE symbol = %s AND timestamp >= %s ORDER BY timestamp").format(
                microseconds("timestamp"), table_of(self._minutes)
            ),
            (self._symbol, _time(first_us)),
        ).fetchall()
        if not found:
            return 0
        values = {column: np.full(len(found), np.nan) for column in self._columns}
        for row, (end_us, index) in enumerate(found):
            for column, value in self._newest(end_us, index).items():
                values[column][row] = value
        ends_us = np.array([end_us for end_us, _ in found])
        self._connection.execute(self._stage())
        self._copy(ends_us, values)
        return self._from_stage(first_us)

    def _newest(self, end_us: int, index: int) -> dict[str, float]:
        """Return the values of the row that ends at a time."""
        found: dict[str, float] = {}
        plain = PhaseValues(self._named, self._minutes)
        counted = [one for one in self._named if PhaseValues([one], self._minutes).reach]
        if counted:
            values = PhaseValues(counted, self._minutes).add(self._rows_of_phase(end_us, index, plain.reach))
            found |= {column: float(one[-1]) for column, one in values.items()}
        summed = [one for one in self._named if one not in counted]
        if summed:
            since_us = min(session_start_us(one, end_us - self._length_us) for one in plain.sessions)
            figures = self._windows(max(since_us, self._stored.first_us) + self._length_us, end_us, index)
            found |= {column: float(one[-1]) for column, one in PhaseValues(summed, self._minutes).add(figures).items()}
        return found

    def _windows(self, first_us: int, last_us: int, index: int | None = None) -> Figures:
        """Return the windows in the table that end in this range, of one phase or of all."""
        minutes = read_minutes(self._store, self._symbol, first_us - self._length_us, last_us)
        figures = figures_of(windows_ending(minutes, self._minutes, first_us, last_us))
        ends_us = figures["open_time_us"] + self._length_us
        chosen = np.isin(ends_us, self._row_times(first_us, last_us), assume_unique=True)
        if index is not None:
            chosen &= figures[MINUTE_INDEX] == index
        return figures if chosen.all() else {name: column[chosen] for name, column in figures.items()}

    def _row_times(self, first_us: int, last_us: int) -> NDArray[np.int64]:
        """Return the times of the rows between two times, inclusive."""
        query = sql.SQL(
            "COPY (SELECT {} FROM {} WHERE symbol = {} AND timestamp BETWEEN {} AND {}) TO STDOUT (FORMAT binary)"
        ).format(
            microseconds("timestamp"),
            table_of(self._minutes),
            sql.Literal(self._symbol),
            sql.Literal(_time(first_us)),
            sql.Literal(_time(last_us)),
        )
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            data = b"".join(copy)
        rows = np.frombuffer(data, _ROW_TIME, offset=len(COPY_HEADER), count=(len(data) - _FRAME) // _ROW_TIME.itemsize)
        return rows["time_us"].astype(np.int64)

    def _rows_of_phase(self, end_us: int, index: int, count: int) -> Figures:
        query = sql.SQL(_ROWS_OF_PHASE).format(time_us=microseconds("timestamp"), table=table_of(self._minutes))
        rows = self._connection.execute(query, (self._symbol, index, _time(end_us), count)).fetchall()[::-1]
        ends_us, *columns = (np.array(column) for column in zip(*rows, strict=True))
        unknown = np.full(len(rows), np.nan)
        figures: Figures = dict.fromkeys(BAR_COLUMNS, unknown)
        figures |= dict(zip((*PRICE_COLUMNS, "volume", "trades"), columns, strict=True))
        figures |= {"open_time_us": ends_us - self._length_us, MINUTE_INDEX: np.full(len(rows), index)}
        return figures

    def _stage_from(
        self, begin_us: int, last_us: int | None, oldest_us: int, span: int, on_progress: Callable[[int], None]
    ) -> bool:
        """
        Stage the values of the rows from ``begin_us`` on; return False if the calculation began too late for that.

        It begins ``span`` times as long before as all calculations reach back where no row is missing.
        """
        values = PhaseValues(self._named, self._minutes)
        before_us = [begin_us - (values.reach + 1) * self._length_us * span]
        before_us += [session_start_us(one, begin_us - self._length_us) + self._length_us for one in values.sessions]
        since_us = max(oldest_us, min(before_us))
        after = np.zeros(self._minutes, np.int64)
        for first_us, until_us in self._parts(since_us, begin_us):
            if first_us == begin_us and since_us > oldest_us and (values.known_rows() < values.reach).any():
                return False
            figures = self._windows(first_us, until_us)
            if not len(figures[MINUTE_INDEX]):
                continue
            found = values.add(figures)
            if first_us < begin_us:
                continue
            on_progress(len(figures[MINUTE_INDEX]))
            ends_us = figures["open_time_us"] + self._length_us
            self._copy(ends_us, found)
            if last_us is not None:
                after += np.bincount(figures[MINUTE_INDEX][ends_us > last_us], minlength=self._minutes)
                if (after > values.reach).all() and not self._is_in_session(values, last_us, int(ends_us[-1])):
                    break
        return True

    def _parts(self, since_us: int, begin_us: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of the windows' ends, both inclusive, of which one begins at ``begin_us``."""
        at_us = since_us
        while at_us <= self._stored.end_us:
            border_us = begin_us if at_us < begin_us else self._stored.end_us + MINUTE_US
            until_us = min(at_us + _PART * MINUTE_US, border_us)
            yield at_us, until_us - MINUTE_US
            at_us = until_us

    def _is_in_session(self, values: PhaseValues, last_us: int, end_us: int) -> bool:
        """Whether a window that ends later may still lie in the session of one that ended at ``last_us``."""
        return any(
            session_start_us(one, last_us) >= session_start_us(one, end_us - self._length_us) for one in values.sessions
        )

    def _stage(self) -> sql.Composed:
        columns = sql.SQL(", ").join(
            sql.SQL("{} double precision").format(sql.Identifier(f"v{number}")) for number in range(len(self._columns))
        )
        return sql.SQL(
            "CREATE TEMP TABLE IF NOT EXISTS {} (timestamp timestamptz PRIMARY KEY, {}) ON COMMIT DELETE ROWS"
        ).format(self._staged, columns)

    @property
    def _staged(self) -> sql.Identifier:
        return sql.Identifier(f"research_values_{len(self._columns)}")

    def _copy(self, ends_us: NDArray[np.int64], values: dict[str, NDArray[np.float64]]) -> None:
        self._last_us = int(ends_us[-1])
        layout = RowLayout([ColumnType.TIMESTAMP, *[ColumnType.DOUBLE] * len(self._columns)])
        copy_rows(self._connection, self._staged, layout, [ends_us, *(values[column] for column in self._columns)])

    def _from_stage(self, first_us: int) -> int:
        given = [
            sql.SQL("nullif(s.{}, 'NaN')").format(sql.Identifier(f"v{number}")) for number in range(len(self._columns))
        ]
        names = [sql.Identifier(column) for column in self._columns]
        statement = sql.SQL(
            """
            UPDATE {table} t SET {assigned} FROM {staged} s
            WHERE t.symbol = %s AND t.timestamp = s.timestamp AND t.timestamp BETWEEN %s AND %s
                AND ({known}) IS DISTINCT FROM ({given})
            """
        ).format(
            table=table_of(self._minutes),
            staged=self._staged,
            assigned=sql.SQL(", ").join(map(sql.SQL("{} = {}").format, names, given)),
            known=sql.SQL(", ").join(sql.SQL("t.{}").format(name) for name in names),
            given=sql.SQL(", ").join(given),
        )
        return self._connection.execute(statement, (self._symbol, _time(first_us), _time(self._last_us))).rowcount


def _time(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC)
