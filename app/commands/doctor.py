"""``cryptopipe doctor``: checks everything the program needs, and says what to do about each trouble."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from app.commands.reports.status_report import spool_text
from app.commands.styling import print_styled
from app.concurrency.system_clock import SystemClock
from app.config.foreign_variables import FOREIGN_VARIABLES, not_understood
from app.config.settings import SettingOrigin, Settings
from app.live.environment.clocks import ExchangeClock
from app.live.recording.symbol_directory import check_symbols
from app.market.durations import length
from app.market.errors import CryptopipeError, UsageError
from app.market.symbol import read_calendars
from app.market.trade import MarketEvent
from app.runtime.calendars import check_calendars
from app.runtime.open_database import open_database, password_warning
from app.runtime.wiring import exchange_feed, exchange_rest
from storage.spool.inspection import read_summaries

_LOW_DISK_GB, _NO_DISK_GB = 5.0, 0.5
_BAD_SKEW_S = 1.0
_FIRST_EVENT_S = 10.0
_PACKAGES = ("PySide6_Essentials", "pyqtgraph", "qasync", "websockets", "psycopg", "numpy")
_TESTED_PYTHONS = "3.11, 3.12 and 3.13"  # what README.md says, too

_MARKS = {"ok": ("✓", "bold green"), "warning": ("!", "bold yellow"), "failed": ("✗", "bold red")}

_EXCHANGE_ADVICE = "Check the network and its proxy, or the symbols and addresses in the settings."


class Finding(NamedTuple):
    """One check: ``level`` is ok, warning or failed; ``sentence`` says what was found and what to do."""

    name: str
    level: str
    sentence: str


def report(settings: Settings, *, as_json: bool) -> int:
    """Print every finding; return 0 when none failed."""
    findings = examine(settings)
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            print_styled(_MARKS[finding.level], f" {finding.name:<9} {finding.sentence}")
    return int(any(finding.level == "failed" for finding in findings))


def examine(settings: Settings) -> list[Finding]:
    """Run all checks, one after the other."""
    findings = [_versions(), *_variables(settings, os.environ), *_calendars(settings), _disk(settings.data_dir)]
    findings += [_database(settings), *_spool(settings.data_dir)]
    return findings + asyncio.run(_exchange(settings))


def _versions() -> Finding:
    found = ", ".join(f"{package.replace('_', '-')} {version(package)}" for package in _PACKAGES)
    python = f"Python {platform.python_version()} (tested: {_TESTED_PYTHONS}) on {platform.system()}"
    return Finding("versions", "ok", f"{python}, {found}.")


def _variables(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Report which variables of other recorders are in force, if any is set; see `app.config.foreign_variables`."""
    found = {name: setting for name, (setting, _) in FOREIGN_VARIABLES.items() if environment.get(name, "").strip()}
    if not found:
        return []
    in_force = [name for name, setting in found.items() if settings.origins.get(setting) is SettingOrigin.FOREIGN]
    unread = [name for name in not_understood(environment) if name in found]
    overruled = [name for name in found if name not in in_force and name not in unread]
    parts = [
        f"{', '.join(names)} {one if len(names) == 1 else many}"
        for names, one, many in (
            (in_force, "is in force", "are in force"),
            (overruled, "is overruled by our own settings", "are overruled by our own settings"),
            (unread, "means nothing here", "mean nothing here"),
        )
        if names
    ]
    return [Finding("variables", "ok", f"Of other programs' variables {'; '.join(parts)}.")]


def _calendars(settings: Settings) -> list[Finding]:
    """Report whether the calendars that were chosen can be loaded; nothing where none was."""
    chosen = read_calendars(settings.calendars)
    try:
        asyncio.run(check_calendars(settings.calendars, chosen))
    except UsageError as error:
        return [Finding("calendars", "failed", str(error))]
    names = ", ".join(sorted(set(chosen.values())))
    return [Finding("calendars", "ok", f"{names} can be used.")] if chosen else []


def _disk(data_dir: Path) -> Finding:
    folder = data_dir
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    found = f"{free_gb:.1f} GB free for {data_dir}"
    if free_gb < _NO_DISK_GB:
        return Finding("disk", "failed", f"{found}: free some space, or name another --data-dir.")
    if free_gb < _LOW_DISK_GB:
        return Finding("disk", "warning", f"{found}: a busy symbol stores about 0.2 GB a day; free some space soon.")
    return Finding("disk", "ok", f"{found}.")


def _database(settings: Settings) -> Finding:
    try:
        database = open_database(settings)
    except CryptopipeError as error:
        return Finding("database", "failed", str(error))
    try:
        stored = sum(database.store.coverage(symbol).count() for symbol in settings.symbols)
        holds = f"{stored:,} trades of your symbols are stored."
        found = f"{database.label} answers; {holds} {database.read_only_reason}".strip()
        if warning := password_warning(settings):
            return Finding("database", "warning", f"{found} {warning}")
        return Finding("database", "ok", found)
    except CryptopipeError as error:
        return Finding("database", "failed", str(error))
    finally:
        database.close(10.0)


def _spool(data_dir: Path) -> list[Finding]:
    """Report the trades and the ticks spooled on disk, if any."""
    findings = []
    for plural, waiting in read_summaries(data_dir).items():
        if found := spool_text(waiting, plural):
            remedy = "" if waiting.problem else ": the window or cryptopipe collect stores them once it answers"
            findings.append(Finding("spool", "warning", f"{found}{remedy}."))
    return findings


async def _exchange(settings: Settings) -> list[Finding]:
    checks: list[tuple[str, Callable[[Settings], Awaitable[Finding]]]] = [
        ("exchange", _symbols),
        ("clock", _clock),
        ("feed", _feed),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(await check(settings))
        except CryptopipeError as error:
            findings.append(Finding(name, "failed", f"{error} {_EXCHANGE_ADVICE}"))
    return findings


async def _symbols(settings: Settings) -> Finding:
    async with exchange_rest(settings, ExchangeClock(SystemClock())) as rest:
        symbols = await check_symbols(rest, settings.symbols)
    found = f"{settings.binance_rest_url} answers and trades {', '.join(symbol.name for symbol in symbols)}."
    return Finding("exchange", "ok", f"{found} {rest.fallback}".strip())


async def _clock(settings: Settings) -> Finding:
    clock = SystemClock()
    async with exchange_rest(settings, ExchangeClock(clock)) as rest:
        asked_us = clock.now_us()
        server_us = await rest.server_time_us()
        skew_s = (server_us - (asked_us + clock.now_us()) // 2) / 1e6
    if abs(skew_s) > _BAD_SKEW_S:
        found = f"This computer's clock is {length(skew_s)} {'behind' if skew_s > 0 else 'ahead of'} the exchange's"
        return Finding("clock", "warning", f"{found}: turn on time synchronisation. Candles are right all the same.")
    return Finding("clock", "ok", f"This computer's clock is within {abs(skew_s) * 1000:.0f} ms of the exchange's.")


async def _feed(settings: Settings) -> Finding:
    feed = exchange_feed(settings, SystemClock(), max_attempts=1)
    feed.set_symbols(settings.symbols)
    arrived = asyncio.Event()

    def on_event(event: MarketEvent, received_us: int) -> None:
        del event, received_us
        arrived.set()

    receiving = asyncio.ensure_future(feed.run(on_event))
    waiting = asyncio.ensure_future(arrived.wait())
    await asyncio.wait({receiving, waiting}, timeout=_FIRST_EVENT_S, return_when=asyncio.FIRST_COMPLETED)
    reason = feed.status.reason
    for task in (receiving, waiting):
        task.cancel()
    results = await asyncio.gather(receiving, waiting, return_exceptions=True)
    if arrived.is_set():
        return Finding("feed", "ok", f"{settings.binance_ws_url} sends data.")
    if isinstance(results[0], CryptopipeError):
        reason = str(results[0])
    reason = reason or f"{settings.binance_ws_url} sent nothing in {_FIRST_EVENT_S:.0f} s."
    return Finding("feed", "failed", f"{reason} {_EXCHANGE_ADVICE}")
