"""
``cryptopipe db …``: the commands that look after the database itself.

Each is prepared first, which refuses what cannot be before anything is made, and then run for its exit code. They hold
one connection and no writer, so they work beside a program that records, and the looking ones with a reading role.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.connected import connected, show_progress
from app.database_program import environment_for, program_for, run_program
from app.databases import has_database
from app.differences_text import advice, mended_text, report_json, report_text
from app.market.errors import StoreError, StoreUnavailable, UsageError
from app.retention_text import Upkeep, held_text, plan_json, plan_text, upkeep_json, upkeep_text
from app.settings import Settings
from app.status_text import status_json, status_text, waiting_json, waiting_text
from storage.connection import Connection
from storage.convert import conversion_due, convert
from storage.editions import switch_on_timescale
from storage.keep import OFF, Keep, proposal
from storage.migrate import migrate
from storage.rebuild import rebuild
from storage.retention import Plan, Retention, confirm, enforce, plan, read_retention
from storage.settle import settle
from storage.spool import FILE_NAME
from storage.status import address_of, read_status
from storage.verify import verify
from storage.waiting import read_waiting

_STATUS_TIMEOUT_S = 15.0
_WORK_TIMEOUT_S = 3_600.0  # for one window of verifying, which takes about a second

Command = Callable[[Settings, argparse.Namespace], int]


def prepare(settings: Settings, options: argparse.Namespace) -> Callable[[], int]:
    """
    Return what runs the ``db`` command that ``options`` name.

    Raises:
        UsageError: If there is no database yet. Nothing was made.
    """
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with the window or cryptopipe collect first, or "
            "name another --data-dir."
        )
    return partial(_run, _COMMANDS[options.db_command], settings, options)


def _run(command: Command, settings: Settings, options: argparse.Namespace) -> int:
    try:
        return command(settings, options)
    except KeyboardInterrupt:
        show_progress("")
        print("cryptopipe: interrupted before it was done.", file=sys.stderr)
        return 1


def _status(settings: Settings, options: argparse.Namespace) -> int:
    waiting = read_waiting(settings.data_dir / FILE_NAME)
    on_disk = waiting_text(waiting)
    try:
        with connected(settings, statement_timeout_s=_STATUS_TIMEOUT_S) as connection:
            status = read_status(connection, embedded=not settings.database_url)
            upkeep = _upkeep(settings, connection) if status.version == status.program_version else None
    except StoreUnavailable as error:
        if not on_disk:
            raise
        raise StoreUnavailable(f"{error} {on_disk}.") from error
    if options.as_json:
        more = upkeep_json(upkeep) if upkeep else {}
        print(json.dumps(status_json(status) | more | {"waiting_on_disk": waiting_json(waiting)}, indent=2))
    else:
        more_text = [f"{on_disk}."] if on_disk else []
        more_text += [upkeep_text(upkeep)] if upkeep else []
        print("\n\n".join([status_text(status), *more_text]))
    return 0


def _url(settings: Settings, options: argparse.Namespace) -> int:
    del options
    with connected(settings) as connection:
        print(address_of(connection))
    return 0


def _verify(settings: Settings, options: argparse.Namespace) -> int:
    with connected(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        began = time.monotonic()
        try:
            report = verify(connection, _names(options), show_progress)
        finally:
            show_progress("")
        seconds = time.monotonic() - began
    print(json.dumps(report_json(report, seconds), indent=2) if options.as_json else report_text(report, seconds))
    if report.totals:
        raise StoreError(advice(report))
    return 0


def _rebuild(settings: Settings, options: argparse.Namespace) -> int:
    with connected(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        try:
            rebuilt = rebuild(connection, _names(options), show_progress)
        finally:
            show_progress("")
    print(mended_text(rebuilt.mended))
    if rebuilt.left.totals:
        raise StoreError(advice(rebuilt.left))
    return 0


def _retention(settings: Settings, options: argparse.Namespace) -> int:
    wanted = proposal(options.keep or settings.keep_trades)
    with connected(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        held = read_retention(connection)
        keep = wanted if isinstance(wanted, Keep) else None if wanted == OFF else held.keep
        planned = None if keep is None else plan(connection, keep)
        if not options.as_json:
            print(held_text(held) if planned is None else f"{held_text(held)}\n\n{plan_text(planned)}")
        dropped = None
        if wanted is not None and _is_confirmed(options, held, planned):
            confirm(connection, keep)
            dropped = enforce(connection)
            held = read_retention(connection)
            if not options.as_json:
                print(f"\n{held_text(held)}" + (f"\n{plan_text(dropped, done=True)}" if dropped else ""))
                print(_overruled(settings, held), end="")
    if options.as_json:
        answer = upkeep_json(Upkeep(held, None, None))
        for name, one in (("would_drop", planned), ("dropped", dropped)):
            answer[name] = None if one is None else plan_json(one)
        print(json.dumps(answer, indent=2))
    return 0


def _overruled(settings: Settings, held: Retention) -> str:
    """Say where the settings keep trades longer, which they may without being confirmed."""
    proposed = proposal(settings.keep_trades)
    if proposed is None or held.keep is None or (isinstance(proposed, Keep) and proposed.days <= held.keep.days):
        return ""
    return f"The setting keep_trades says {proposed}, which takes its place when the program starts: change it.\n"


def _is_confirmed(options: argparse.Namespace, held: Retention, planned: Plan | None) -> bool:
    """Whether the user has said yes, by ``--yes`` or at the terminal; says how where there is nobody to ask."""
    keep = planned.keep if planned is not None else None
    if options.yes:
        return True
    if held.keep == keep or options.as_json:
        return False
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(f"\nNothing was changed: cryptopipe db retention {keep or OFF} --yes confirms it.")
        return False
    if planned is None:
        question = "Keep all trades from now on?"
    elif planned.trades:
        question = "Drop these, and later ones in time?"
    else:
        question = "Drop trades from now on when they are older than that?"
    try:
        said = input(f"\n{question} [y/N] ")
    except EOFError:  # Ctrl-D
        said = ""
        print()
    if said.strip().lower() in {"y", "yes"}:
        return True
    print("Nothing was changed.")
    return False


def _convert(settings: Settings, options: argparse.Namespace) -> int:
    del options
    with connected(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        switch_on_timescale(connection)
        due = conversion_due(connection)
        if due is None:
            print("There is nothing to convert: trades lie as this server and this user can have them.")
            return 0
        try:
            converted = convert(connection, lambda done, total: show_progress(f"{done:,} of {total:,} trades copied"))
        finally:
            show_progress("")
        settle(connection)
    if not converted:
        raise StoreError("Another program is changing the database just now: try again when it is done.")
    print(f"{due.trades:,} trades were converted to a hypertable.")
    return 0


def _upkeep(settings: Settings, connection: Connection) -> Upkeep:
    wanted = proposal(settings.keep_trades)
    return Upkeep(read_retention(connection), wanted if isinstance(wanted, Keep) else None, conversion_due(connection))


def _run_program(settings: Settings, options: argparse.Namespace) -> int:
    folder = Path(settings.postgres_bin) if settings.postgres_bin else None
    arguments = program_for(options.program, folder)
    with connected(settings) as connection:
        environment = environment_for(connection, writing=options.writing)
        connection.close()
        return run_program(arguments, environment)


def _names(options: argparse.Namespace) -> list[str]:
    return [name.upper().replace("/", "") for name in options.symbol]


_COMMANDS: dict[str, Command] = {
    "status": _status,
    "verify": _verify,
    "rebuild": _rebuild,
    "retention": _retention,
    "convert": _convert,
    "url": _url,
    "run": _run_program,
}
