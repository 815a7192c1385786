"""``cryptopipe alerts …``: kept in the database, judged by the programs that record; `storage.alerts` does the work."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.commands.database_session import check_may_record
from app.commands.options import Options
from app.commands.progress import progress
from app.commands.reports.status_report import aligned
from app.commands.symbol_names import names_among
from app.config.settings import Settings
from app.market.alerts.alert import Firing, Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import AlertState, NewAlert, StoredAlert, StoredFiring, StoredIncident
from app.market.errors import StoreError, UsageError
from app.market.export_plan import number_of
from app.market.interval import Interval
from app.market.symbol import BROKER, broker_of, read_symbol
from app.market.units import format_e8
from app.runtime.open_database import has_database, open_database
from storage.alerts.proof import AlertProof
from storage.database import Database
from storage.files.times import format_time, parse_time

ALL = "all"
"""Instead of a symbol: all that are recorded."""
_ENDED = {
    AlertState.FIRED: "fires once, and has",
    AlertState.EXPIRED: "has expired",
    AlertState.REPLACED: "was replaced when it was changed",
}
_SHOWN = 20  # differences in words; --json has all


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that runs the ``alerts`` command of ``options``.

    Raises:
        UsageError: If a condition, a symbol or a time is wrong. No file was made.
    """
    if options.command == "alerts add":
        rule = read_rule(options.when)
        new = NewAlert(
            _symbol_or_all(options.symbol, is_of_trades=rule.is_of_trades),
            rule,
            Repeat(options.repeat),
            options.name,
            options.note,
            _end(options.expires) if options.expires else None,
            options.notify,
            options.sound,
        )
        return partial(_run, partial(_add, new=new), settings, options)
    if options.command == "alerts pause":
        pause_us = Interval.parse(options.pause_for).length_us if options.pause_for else None
        return partial(_run, partial(_pause, pause_us=pause_us), settings, options)
    changes = {"alerts remove": _remove, "alerts resume": _resume}
    if options.command in changes:
        return partial(_run, changes[options.command], settings, options)
    work = _list if options.command == "alerts list" else _verify
    return partial(_run if has_database(settings) else _nothing, work, settings, options)


def _end(text: str) -> int:
    expires_us = parse_time(text)
    if expires_us <= _now_us():
        raise UsageError(f"--expires {text} is past, so the alert would never fire: name a later time.")
    return expires_us


def _symbol_or_all(text: str, *, is_of_trades: bool) -> str:
    if text.strip().lower() != ALL:
        return _symbol(text)
    if is_of_trades:
        raise UsageError("Only troubles are watched on all symbols: name one, as BTCUSDT.")
    return ""


def _symbol(text: str) -> str:
    name = read_symbol(text)
    if broker_of(name) != BROKER:
        raise UsageError(
            f"{text.strip()} has quotes and no trades: alerts are judged by trades, so name one of Binance."
        )
    return name


def _run(work: Callable[[Database, Options], int], settings: Settings, options: Options) -> int:
    database = open_database(settings)
    try:
        return work(database, options)
    finally:
        database.close()


def _nothing(work: Callable[[Database, Options], int], settings: Settings, options: Options) -> int:
    """Answer without a database, and make none."""
    del settings
    if work is _verify:
        return _report([], AlertProof(), as_json=options.as_json)
    print("[]" if options.as_json else _text([]))
    return 0


def _add(database: Database, options: Options, new: NewAlert) -> int:
    check_may_record(database.read_only_reason)
    if new.symbol:
        new = new._replace(symbol=read_symbol(options.symbol, database.store.symbol_names()))
    alert_id = database.alerts.add(new)
    on = new.symbol or "all recorded symbols"
    print(json.dumps({"id": alert_id}) if options.as_json else f"Alert {alert_id} waits on {on}.")
    return 0


def _remove(database: Database, options: Options) -> int:
    return _changed(database, options, database.alerts.remove, "is removed")


def _resume(database: Database, options: Options) -> int:
    _check_goes_on(database, options.number)
    return _changed(database, options, database.alerts.resume, "waits again")


def _pause(database: Database, options: Options, pause_us: int | None) -> int:
    _check_goes_on(database, options.number)
    until_us = None if pause_us is None else _now_us() + pause_us
    said = "is paused" if until_us is None else f"is paused until {format_time(until_us)}"
    return _changed(database, options, partial(database.alerts.pause, until_us=until_us), said)


def _check_goes_on(database: Database, number: int) -> None:
    """Raise StoreError for an alert that no trade meets any more."""
    check_may_record(database.read_only_reason)
    found = next((one for one in database.alerts.overview(1).alerts if one.alert_id == number), None)
    state = None if found is None else found.state(_now_us())
    if state in _ENDED:
        raise StoreError(f"Alert {number} {_ENDED[state]}, so it can't be paused or resumed: add another one.")


def _changed(database: Database, options: Options, change: Callable[[int], bool], said: str) -> int:
    check_may_record(database.read_only_reason)
    if not change(options.number):
        raise StoreError(f"There is no alert {options.number}: cryptopipe alerts list shows them.")
    print(json.dumps({"id": options.number}) if options.as_json else f"Alert {options.number} {said}.")
    return 0


def _list(database: Database, options: Options) -> int:
    found = database.alerts.read(_symbols(database, options))
    print(json.dumps([_json(one) for one in found], indent=2) if options.as_json else _text(found))
    return 0


def _verify(database: Database, options: Options) -> int:
    symbols = _symbols(database, options)
    with progress("Judging", None, "trades") as shown:
        proof = database.alerts.prove(symbols, shown.advance)
    return _report(database.alerts.read(symbols), proof, as_json=options.as_json)


def _symbols(database: Database, options: Options) -> Sequence[str]:
    return names_among(options.symbol, database.store.symbol_names()) if options.symbol else ()


def _json(alert: StoredAlert) -> dict[str, Any]:
    return {
        "id": alert.alert_id,
        "symbol": alert.symbol or ALL,
        "when": alert.text,
        "repeat": alert.repeat.value,
        "name": alert.name,
        "note": alert.note,
        "expires": None if alert.expires_us is None else format_time(alert.expires_us),
        "notify": alert.notifies,
        "sound": alert.sounds,
        "state": alert.state(_now_us()).value,
        "replaced_by": alert.replaced_by,
        "firings": [
            _firing_json(one) | {"late": one.is_late, "provisional": one.is_provisional, "reason": one.reason}
            for one in alert.firings
        ]
        + [_firing_json(one) | {"late": False, "provisional": False, "reason": one.reason} for one in alert.incidents],
    }


def _firing_json(firing: Firing | StoredFiring | StoredIncident) -> dict[str, Any]:
    if isinstance(firing, StoredIncident):
        return {
            "trade_id": None,
            "time": format_time(firing.time_us),
            "price": None,
            "direction": None,
            "symbol": firing.symbol,
            "missing": None if firing.first_id is None else [firing.first_id, firing.last_id],
        }
    return {
        "trade_id": firing.trade_id,
        "time": format_time(firing.time_us),
        "price": format_e8(firing.price_e8),
        "direction": firing.direction.value,
    }


def _text(alerts: Sequence[StoredAlert]) -> str:
    if not alerts:
        return 'No alerts: cryptopipe alerts add BTCUSDT --when "price crosses up 65000" adds one.'
    rows = [
        (
            one.symbol or ALL,
            one.text,
            one.name,
            one.repeat.value,
            one.state(_now_us()).value,
            format_time(fired[-1].time_us) if (fired := one.firings or one.incidents) else "",
            str(one.alert_id),
            f"{len(fired):,}",
        )
        for one in alerts
    ]
    return aligned(("symbol", "when", "name", "repeat", "state", "last firing (UTC)", "id", "firings"), rows, left=6)


def _report(alerts: Sequence[StoredAlert], proof: AlertProof, *, as_json: bool) -> int:
    """Print the proof; return the exit code."""
    missed, doubled, invented = (proof.count(kind) for kind in ("missed", "doubled", "invented"))
    if as_json:
        report = {
            "missed": missed,
            "doubled": doubled,
            "invented": invented,
            "alerts": len(alerts),
            "firings": proof.firings,
            "trades": proof.trades,
            "provisional": proof.provisional,
            "dropped": proof.dropped,
            "unjudged": proof.unjudged,
            "unproven": proof.unproven,
            "differences": [
                {"kind": one.kind, "id": one.alert_id, "symbol": one.symbol} | _firing_json(one.firing)
                for one in proof.differences
            ],
        }
        print(json.dumps(report, indent=2))
    else:
        firings = number_of(proof.firings, "firing") + (" is that of " if proof.firings == 1 else " are those of ")
        print(f"{number_of(len(alerts), 'alert')}: {firings}{number_of(proof.trades, 'stored trade')}.")
        if proof.provisional:
            print(f"{proof.provisional:,} more are provisional: trades before them are missing or not stored yet.")
        if proof.dropped:
            print(f"{proof.dropped:,} older ones do not count: retention has dropped their trades.")
        if proof.unjudged:
            print(f"{proof.unjudged:,} stored trades are not judged yet: a recording program does that.")
        if proof.unproven:
            print(f"{proof.unproven:,} troubles can't be judged again: what was wrong is not stored.")
        for one in proof.differences[:_SHOWN]:
            by = one.firing
            what = f"trades from {by.first_id}" if isinstance(by, StoredIncident) else f"trade {by.trade_id}"
            of = f"alert {one.alert_id} of {one.symbol}, {what}"
            print(f"{one.kind}: {of} at {format_time(one.firing.time_us)}")
        if len(proof.differences) > _SHOWN:
            print(f"… and {len(proof.differences) - _SHOWN:,} more: --json has all.")
    if proof.differences:
        raise StoreError(proof.sentence)
    return 0


def _now_us() -> int:
    return time.time_ns() // 1_000
