"""
The alerts of a database, as recording programs and commands use them; see `app.market.ports.alerts`.

Most programs have no alerts: what they do not need is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from app.market.ports.alerts import AlertOverview, CaughtUp, Confirmed, Draft, WaitingAlerts
from storage.alerts import waiting_alerts
from storage.postgres.connection import Connection, translated
from storage.postgres.pool import ConnectionPool

if TYPE_CHECKING:
    from app.market.alerts.alert import Firing, Incident, Repeat, Rule
    from app.market.alerts.stored_alert import NewAlert, ProvenRun, StoredAlert
    from app.market.candle import Candle
    from app.market.interval import Interval
    from storage.alerts.proof import AlertProof


class PostgresAlerts:
    """
    An `app.market.ports.alerts.AlertStore`, and what the commands need. Any thread; every method may raise StoreError.

    ``pool`` lends connections for short work. ``connect`` makes one for work that may take long: reading many trades.
    """

    def __init__(self, pool: ConnectionPool, connect: Callable[[], Connection]) -> None:
        self._pool, self._connect = pool, connect

    def add(self, new: NewAlert, *, is_paused: bool = False, until_us: int | None = None, received_id: int = 0) -> int:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.alerts import alert_changes

        with self._pool.borrowed("add an alert") as connection:
            return alert_changes.add(connection, new, is_paused=is_paused, until_us=until_us, received_id=received_id)

    def change(self, alert_id: int, new: NewAlert, *, received_id: int = 0) -> bool:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.alerts import alert_changes

        with self._pool.borrowed("change an alert") as connection:
            return alert_changes.change(connection, alert_id, new, received_id=received_id)

    def pause(self, alert_id: int, until_us: int | None = None, after_id: int = 0) -> bool:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.alerts import alert_changes

        with self._pool.borrowed("pause an alert") as connection:
            return alert_changes.pause(connection, alert_id, until_us, after_id)

    def resume(self, alert_id: int, *, received_id: int = 0) -> bool:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.alerts import alert_changes

        with self._pool.borrowed("resume an alert") as connection:
            return alert_changes.resume(connection, alert_id, received_id=received_id)

    def remove(self, alert_id: int) -> bool:
        """Forget an alert and its firings; return False if there is none of that number."""
        from storage.alerts import alert_changes

        with self._pool.borrowed("remove an alert") as connection:
            return alert_changes.remove(connection, alert_id)

    def draft(self, symbol: str, rule: Rule, repeat: Repeat, from_us: int, to_us: int) -> Draft:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.alerts.draft import judge_draft

        with self._connect() as connection, translated("judge the stored trades by a draft"):
            return judge_draft(connection, symbol, rule, repeat, from_us, to_us)

    def read(self, symbols: Collection[str] = ()) -> list[StoredAlert]:
        """Return the alerts of these symbols, of all if none is named, by number, with their firings by trade id."""
        from storage.alerts import alert_rows

        with self._pool.borrowed("read alerts") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return alert_rows.read_all(connection, symbols)

    def overview(self, most: int) -> AlertOverview:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.alerts import alert_rows

        with self._pool.borrowed("read alerts") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return AlertOverview(*alert_rows.read_overview(connection, most))

    def prove(
        self, symbols: Collection[str] = (), on_progress: Callable[[int], object] = lambda trades: None
    ) -> AlertProof:
        """Return the proof of these symbols' alerts, of all if none is named; see `storage.alerts.proof.prove`."""
        from storage.alerts.proof import prove

        alerts = self.read(symbols)
        with self._connect() as connection, translated("verify alerts"):
            return prove(connection, alerts, on_progress)

    def draft_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """See `app.market.ports.alerts.AlertBook`."""
        from storage.candles.candle_reader import SymbolCandleReader

        with self._connect() as connection, translated("read candles for a draft"):
            reader = SymbolCandleReader.open(connection, symbol, interval)
            return [] if reader is None else list(reader.traded_candles(start_us, end_us))

    def proof_in_words(self) -> tuple[bool, str]:
        """See `app.market.ports.alerts.AlertBook`."""
        proof = self.prove()
        return not proof.differences, proof.sentence

    def revision(self) -> int:
        """See `app.market.ports.alerts.AlertStore`."""
        with self._pool.borrowed("look for changed alerts") as connection:
            return waiting_alerts.revision(connection)

    def waiting(self, symbols: Collection[str]) -> WaitingAlerts:
        """See `app.market.ports.alerts.AlertStore`."""
        with self._pool.borrowed("read alerts") as connection:
            if symbols and waiting_alerts.any_on_drawings(connection, symbols):
                from storage.alerts import alert_changes

                alert_changes.follow_drawings(connection, symbols)
            return waiting_alerts.waiting(connection, symbols)

    def of_trouble(self) -> list[StoredAlert]:
        """See `app.market.ports.alerts.AlertStore`."""
        from storage.alerts import alert_rows

        with self._pool.borrowed("read alerts on trouble") as connection:
            return alert_rows.read_of_trouble(connection)

    def save_incidents(self, incidents: Sequence[Incident]) -> list[Incident]:
        """See `app.market.ports.alerts.AlertStore`."""
        from storage.alerts import incident_rows

        with self._pool.borrowed("keep troubles of alerts") as connection:
            return incident_rows.save(connection, incidents)

    def save(self, symbol: str, firings: Sequence[Firing]) -> None:
        """See `app.market.ports.alerts.AlertStore`."""
        from storage.alerts.judge import SymbolJudge

        with self._pool.borrowed("keep firings of alerts") as connection:
            if (judge := SymbolJudge.of(connection, symbol)) is not None:
                judge.save(firings)

    def confirm(self, symbol: str, run: ProvenRun | None) -> Confirmed:
        """See `app.market.ports.alerts.AlertStore`."""
        from storage.alerts.judge import SymbolJudge

        with self._pool.borrowed("confirm firings of alerts") as connection:
            judge = SymbolJudge.of(connection, symbol)
            return Confirmed(-1, unread=False, needs_reading=False) if judge is None else judge.confirm(run)

    def catch_up(self, symbol: str) -> CaughtUp | None:
        """See `app.market.ports.alerts.AlertStore`."""
        from storage.alerts.judge import SymbolJudge

        with self._connect() as connection, translated("judge the stored trades by alerts"):
            judge = SymbolJudge.of(connection, symbol)
            return None if judge is None else judge.catch_up()
