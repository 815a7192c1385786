"""
``cryptopipe gaps``: lists the trades missing between those stored, and repairs them.

Listing reads the database and the spool on disk, which may hold some of the missing trades. Repairing works beside a
window or ``collect`` on the same database: these leave the symbols to this command meanwhile, and then read what it
stored. A second repair of a symbol, by this command or a window's download, is refused. It ends when nothing is
missing, when the exchange has no more, or on Ctrl-C; all fetched trades are stored by then.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from app.commands.database_session import check_may_record, database_session
from app.commands.options import Options
from app.commands.progress import Progress, progress
from app.commands.reports.status_report import aligned
from app.commands.symbol_names import check_have_trades, named_symbols
from app.concurrency.background import in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.environment.clocks import ExchangeClock
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.recorder import Recorder
from app.live.repair.coverage_sync import CoverageSync
from app.live.repair.repairer import Repairer
from app.market.coverage import StoredGap
from app.market.errors import FeedDisconnected, StoreUnavailable, UnknownSymbol, UsageError
from app.market.ports.exchange import TradeSource
from app.runtime.exchange_addresses import check_addresses
from app.runtime.open_database import has_database, open_database
from app.runtime.shutdown import StopEvent, bounded_shutdown, on_signals, unless_stopped
from app.runtime.wiring import exchange_rest
from storage.database import Database
from storage.integrity.gap_report import read_gaps, recorded_symbols
from storage.postgres.connection import connect
from storage.postgres.repair_locks import exclusive_repair
from storage.schema.migrate import migrate
from storage.spool.disk_spool import FILE_NAME
from storage.spool.inspection import SpoolSummary, read_summary

logger = logging.getLogger(__name__)

_TIMEOUT_S = 600.0
_CLOSE_S = 10.0
_FLUSH_S = 15.0
_TRIES = 3
_ANY_SIZE = 1 << 62
_NONE = SpoolSummary()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that lists the missing trades, or fetches them.

    Raises:
        UsageError: If there is no database yet, or an option is wrong.
        SettingsError: If an address of the exchange has a wrong form.
    """
    if options.to_now and not options.repair:
        raise UsageError("--to-now says what to fetch: give --repair, too.")
    check_have_trades(options.symbol, "none can be missing between them")
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with the window or cryptopipe collect first, or "
            "name another --data-dir."
        )
    if options.repair:
        check_addresses(settings)
    return partial(_repair if options.repair else _list, settings, options)


def _list(settings: Settings, options: Options) -> int:
    spooled = read_summary(settings.data_dir / FILE_NAME)  # first: spooled trades may be stored a moment later
    with database_session(settings, statement_timeout_s=_TIMEOUT_S) as connection:
        migrate(connection)
        names = named_symbols(connection, options.symbol)
        gaps = read_gaps(connection, names, timed=0) if options.as_json else read_gaps(connection, names)
    print(_json(gaps, spooled) if options.as_json else _text(gaps, spooled))
    return 0


def _repair(settings: Settings, options: Options) -> int:
    stop = StopEvent()
    with on_signals(stop.set), bounded_shutdown() as begin_shutdown, progress("Fetching", None, "trades") as shown:
        left, fetched, why = asyncio.run(_fetched(settings, options, stop, begin_shutdown, shown))
    print(_json(left) if options.as_json else f"{_counted(fetched, 'trade')} fetched and stored.\n{_text(left)}")
    missing = sum(gap.ids for gap in left if not gap.absent)
    if missing:
        are = "1 trade is" if missing == 1 else f"{missing:,} trades are"
        raise FeedDisconnected(f"{are} still missing: {why or 'they turned out to be while others were fetched.'}")
    return 0


async def _fetched(
    settings: Settings,
    options: Options,
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
) -> tuple[list[StoredGap], int, str]:
    """Return the gaps left in the end, the number of trades fetched, and why no more were."""
    database = await in_background(partial(open_database, settings), "open-database")
    try:
        check_may_record(database.read_only_reason)
        with connect(database.url, application_name="cryptopipe gaps", statement_timeout_s=_TIMEOUT_S) as connection:
            names = named_symbols(connection, options.symbol)
            before = read_gaps(connection, names, timed=0)
            wanted = sorted({gap.symbol for gap in before if not gap.absent})
            if options.to_now:
                wanted = list(names) or recorded_symbols(connection)
            with exclusive_repair(connection, wanted):
                fetched, why = await _fetch(
                    settings, database, wanted, stop, begin_shutdown, shown, to_now=options.to_now
                )
            return read_gaps(connection, names), fetched, why
    finally:
        begin_shutdown()
        await in_background(partial(database.close, _CLOSE_S), "close-database", to_its_end=True)


async def _fetch(
    settings: Settings,
    database: Database,
    names: Sequence[str],
    stop: StopEvent,
    begin_shutdown: Callable[[], None],
    shown: Progress,
    *,
    to_now: bool,
) -> tuple[int, str]:
    clock = SystemClock()
    exchange_clock = ExchangeClock(clock)
    recorder = Recorder(exchange_clock, MarketSnapshot(), queue_trades=settings.queue_trades, repair_trades=_ANY_SIZE)
    recorder.set_symbols(names)
    recorder.attach(database.writer)
    coverage_sync = CoverageSync(recorder, lambda: database, clock)
    await coverage_sync.load(names)
    async with exchange_rest(settings, exchange_clock) as rest:
        repairer = Repairer(recorder, rest, clock, tries=_TRIES)
        try:
            newest = names if to_now else []
            why = await unless_stopped(
                _until_done(recorder, repairer, rest, newest, coverage_sync, database, shown), stop
            )
        finally:
            begin_shutdown()
            await recorder.drain()
            recorder.close()
            await coverage_sync.save()
            if not await database.writer.flush(_FLUSH_S):
                raise StoreUnavailable(
                    f"What was fetched could not be stored in {_FLUSH_S:.0f} s: see what cryptopipe doctor says."
                )
    stored = database.writer.status.stored
    return stored, "it was interrupted; what was fetched is stored." if why is None else why


async def _until_done(
    recorder: Recorder,
    repairer: Repairer,
    exchange: TradeSource,
    newest: Sequence[str],
    coverage_sync: CoverageSync,
    database: Database,
    shown: Progress,
) -> str:
    """
    Fetch until nothing is missing or the exchange gives no more; return the reason, empty if nothing is missing.

    Of the symbols in ``newest``, the trades after the newest stored one count as missing, too.
    """
    for name in newest:
        try:
            await recorder.ingest(await exchange.recent_trades(name, limit=1))
        except UnknownSymbol as error:  # delisted; the other symbols are repaired all the same
            logger.info("no trades after the stored ones: %s", error, extra={"symbol": name})
    total = recorder.missing()
    saved = 0
    while recorder.missing():
        wait_s = await repairer.step()
        if repairer.absent > saved:
            saved = repairer.absent
            await coverage_sync.save()
        if recorder.is_losing or database.writer.status.reason:
            raise StoreUnavailable(database.writer.status.reason or "The database takes too long to store trades.")
        if stuck := repairer.stuck_because():
            return stuck
        if repairer.failures_in_a_row >= _TRIES:
            return repairer.waits_because
        waits = f"Waiting ({repairer.waits_because.rstrip('.')})" if repairer.waits_because else "Fetching"
        shown.update(total - recorder.missing(), total=total, description=waits)
        if wait_s:
            await asyncio.sleep(wait_s)
    return ""


def _text(gaps: Sequence[StoredGap], spooled: SpoolSummary = _NONE) -> str:
    """Return the gaps as a table with their totals."""
    missing = sum(gap.ids for gap in gaps if not gap.absent)
    on_disk = sum(_on_disk(gap, spooled) for gap in gaps)
    absent = sum(gap.ids for gap in gaps if gap.absent)
    lines = []
    if gaps:
        rows = [
            (
                gap.symbol,
                _status(gap),
                str(gap.first_trade_id),
                str(gap.last_trade_id),
                f"{gap.ids:,}",
                _moment(gap.start_us),
                _moment(gap.end_us),
            )
            for gap in gaps
        ]
        header = ("symbol", "status", "first id", "last id", "ids", "after", "before")
        lines = [aligned(header, rows, left=2), ""]
    if missing:
        symbols = len({gap.symbol for gap in gaps if not gap.absent})
        lines.append(f"{_counted(missing, 'trade')} missing of {_counted(symbols, 'symbol')}.")
    else:
        lines.append("Nothing is missing between the trades stored.")
    if on_disk:
        lines.append(
            f"{on_disk:,} of them wait on disk, and are stored by the program that records, or its next start."
        )
    if absent:
        lines.append(f"{_counted(absent, 'id')} the exchange itself has no trade of.")
    return "\n".join(lines)


def _on_disk(gap: StoredGap, spooled: SpoolSummary) -> int:
    """Return how many of the missing trades are in the spool."""
    found = spooled.ids.get(gap.symbol)
    if gap.absent or found is None:
        return 0
    return sum(last - first + 1 for first, last in found.within(gap.first_trade_id, gap.last_trade_id))


def _json(gaps: Sequence[StoredGap], spooled: SpoolSummary = _NONE) -> str:
    rows = [
        {
            "symbol": gap.symbol,
            "first_trade_id": gap.first_trade_id,
            "last_trade_id": gap.last_trade_id,
            "missing": gap.ids,
            "status": _status(gap),
            **({"on_disk": on_disk} if (on_disk := _on_disk(gap, spooled)) else {}),
        }
        for gap in gaps
    ]
    return json.dumps(rows, indent=2)


def _status(gap: StoredGap) -> str:
    return "absent" if gap.absent else "repairing" if gap.repairing else "open"


def _moment(time_us: int | None) -> str:
    return "" if time_us is None else f"{_EPOCH + timedelta(microseconds=time_us):%Y-%m-%d %H:%M:%S}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
