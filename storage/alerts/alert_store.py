"""
The alerts of a database, as recording programs and commands use them; see `app.market.ports.alerts`.

Most programs have no alerts: what they do not need is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from app.market.ports.alerts import CaughtUp, Confirmed
from storage.alerts import waiting_alerts
from storage.postgres.connection import Connection, translated
from storage.postgres.pool import ConnectionPool

if TYPE_CHECKING:
    from app.market.alerts.alert import Firing
    from app.market.alerts.stored_alert import NewAlert, ProvenRun, StoredAlert
    from storage.alerts.proof import AlertProof


class PostgresAlerts:
    """
    An `app.market.ports.alerts.AlertStore`, and what the commands need. Any thread; every method may raise StoreError.

    ``pool`` lends connections for short work. ``connect`` makes one for work that may take long: reading many trades.
    """

    def __init__(self, pool: ConnectionPool, connect: Callable[[], Connection]) -> None:
        self._pool, self._connect = pool, connect

    def add(self, new: NewAlert) -> int:
        """Keep an alert; return its number. It regards the trades that are stored from now on."""
        from storage.alerts import alert_rows

        with self._pool.borrowed("add an alert") as connection:
            return alert_rows.add(connection, new)

    def remove(self, alert_id: int) -> bool:
        """Forget an alert and its firings; return False if there is none of that number."""
        from storage.alerts import alert_rows

        with self._pool.borrowed("remove an alert") as connection:
            return alert_rows.remove(connection, alert_id)

    def read(self, symbols: Collection[str] = ()) -> list[StoredAlert]:
        """Return the alerts of these symbols, of all if none is named, by number, with their firings by trade id."""
        from storage.alerts import alert_rows

        with self._pool.borrowed("read alerts") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return alert_rows.read_all(connection, symbols)

    def prove(
        self, symbols: Collection[str] = (), on_progress: Callable[[int], object] = lambda trades: None
    ) -> AlertProof:
        """Return the proof of these symbols' alerts, of all if none is named; see `storage.alerts.proof.prove`."""
        from storage.alerts.proof import prove

        alerts = self.read(symbols)
        with self._connect() as connection, translated("verify alerts"):
            return prove(connection, alerts, on_progress)

    def revision(self) -> int:
        """See `app.market.ports.alerts.AlertStore`."""
        with self._pool.borrowed("look for changed alerts") as connection:
            return waiting_alerts.revision(connection)

    def waiting(self, symbols: Collection[str]) -> dict[str, set[int]]:
        """See `app.market.ports.alerts.AlertStore`."""
        with self._pool.borrowed("read alerts") as connection:
            return waiting_alerts.waiting_ids(connection, symbols)

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
