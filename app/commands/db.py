"""
``cryptopipe db …``: the commands that look after the database itself.

They hold one connection and no writer, so they work beside a program that records; those that only read work with a
read-only role, too. `storage.integrity`, `storage.retention` and `storage.timescale` do the work; the `…_report`
modules beside this one put its results into words.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from app.commands.database_session import check_may_record, database_session
from app.commands.options import Options
from app.commands.progress import progress
from app.commands.reports.retention_report import (
    RetentionReport,
    held_text,
    plan_json,
    plan_text,
    upkeep_json,
    upkeep_text,
)
from app.commands.reports.status_report import aligned, spool_json, spool_text, status_json, status_text
from app.commands.reports.verify_report import advice, mended_text, report_json, report_text
from app.commands.symbol_names import named_symbols
from app.config.settings import SettingOrigin, Settings
from app.market.errors import StoreError, StoreUnavailable, UsageError
from app.market.symbol import read_calendars, read_symbol
from app.runtime.calendars import named_calendar
from app.runtime.open_database import has_database, lake_opener, open_database
from storage.integrity.rebuild import rebuild
from storage.integrity.status import address_of, read_status
from storage.integrity.verify import verify
from storage.lake.address import parse_address
from storage.postgres.connection import Connection
from storage.retention.policy import RetentionPlan, WaitingPart, confirm, enforce, plan
from storage.schema.editions import switch_on_timescale
from storage.schema.migrate import migrate
from storage.schema.retention_period import OFF, RetentionPeriod, proposal
from storage.schema.retention_record import RetentionRecord, read_retention, ticks_kept_for
from storage.server.installations import find_postgres
from storage.spool.inspection import read_summaries
from storage.timescale.conversion import CONVERTED, conversion_due, convert
from storage.timescale.edition_setup import set_up_edition

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
_READ_ONLY_OPTION = "-c default_transaction_read_only=on"


def environment_for(connection: Connection, *, writing: bool) -> dict[str, str]:
    """
    Return the environment in which libpq's programs and drivers reach the database of ``connection``, in UTC.

    It may hold the password: give it to a child process only. Unless ``writing``, transactions start as read-only.
    """
    known = connection.info.get_parameters() | {"port": str(connection.info.port)}
    found = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    found |= {variable: known[name] for name, variable in _VARIABLES.items() if known.get(name)}
    options = [known.get("options", ""), "" if writing else _READ_ONLY_OPTION]
    found |= {"PGTZ": "UTC", "PGOPTIONS": " ".join(filter(None, options))}
    if connection.info.password:
        found["PGPASSWORD"] = connection.info.password
    return found


def program_for(arguments: Sequence[str], postgres_bin: Path | None) -> list[str]:
    """
    Return the command line to run; psql by default, and if the machine has none, that of the embedded server.

    Raises:
        UsageError: If there is no such program.
    """
    is_psql = not arguments or arguments[0].startswith("-")  # options alone are psql's: db run -c "SELECT …"
    name, *rest = ["psql", *arguments] if is_psql else arguments
    path = shutil.which(name)
    if path is None and name == "psql":
        try:
            path = find_postgres(postgres_bin)[0].program("psql")
        except StoreError:
            path = None
    if path is None:
        raise UsageError(f"“{name}” is no program on this machine: name one to run, or none for psql.")
    return [path, *rest]


def run_program(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program in the foreground and return its exit code. Ctrl-C goes to that program alone."""
    process = subprocess.Popen(arguments, env=dict(environment))  # noqa: S603  # because the user asks for just this
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        if process.poll() is None:
            process.terminate()
            process.wait()
    return code if code >= 0 else 128 - code


_STATUS_TIMEOUT_S = 15.0
_WORK_TIMEOUT_S = 3_600.0  # per statement; one of verify takes about a second, one of convert may take long

Command = Callable[[Settings, Options], int]


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that runs the ``db`` command of ``options``.

    Raises:
        UsageError: If there is no database yet. No file was made.
    """
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with the window or cryptopipe collect first, or "
            "name another --data-dir."
        )
    return partial(_run, _COMMANDS[options.command or ""], settings, options)


def _run(command: Command, settings: Settings, options: Options) -> int:
    try:
        return command(settings, options)
    except KeyboardInterrupt:
        print("cryptopipe: interrupted before it was done.", file=sys.stderr)
        return 1


def _status(settings: Settings, options: Options) -> int:
    spooled = read_summaries(settings.data_dir)  # first: these rows may be stored a moment later
    on_disk = [f"{text}." for plural, summary in spooled.items() if (text := spool_text(summary, plural))]
    try:
        with database_session(settings, statement_timeout_s=_STATUS_TIMEOUT_S) as connection:
            status = read_status(connection, embedded=not settings.database_url)
            upkeep = _upkeep(settings, connection) if status.version == status.program_version else None
    except StoreUnavailable as error:
        if not on_disk:
            raise
        raise StoreUnavailable(" ".join([str(error), *on_disk])) from error
    if options.as_json:
        more = upkeep_json(upkeep) if upkeep else {}
        waiting = {
            "waiting_on_disk": spool_json(spooled["trades"]),
            "ticks_waiting_on_disk": spool_json(spooled["ticks"], "ticks"),
        }
        print(json.dumps(status_json(status) | more | waiting, indent=2))
    else:
        print("\n\n".join([status_text(status), *on_disk, *([upkeep_text(upkeep)] if upkeep else [])]))
    return 0


def _url(settings: Settings, options: Options) -> int:
    del options
    with database_session(settings) as connection:
        print(address_of(connection))
    return 0


def _verify(settings: Settings, options: Options) -> int:
    with database_session(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        began = time.monotonic()
        with progress("Comparing", None, "trades") as shown:
            report = verify(connection, named_symbols(connection, options.symbol), shown.note)
        seconds = time.monotonic() - began
    print(json.dumps(report_json(report, seconds), indent=2) if options.as_json else report_text(report, seconds))
    if report.totals:
        raise StoreError(advice(report))
    return 0


def _rebuild(settings: Settings, options: Options) -> int:
    with database_session(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        with progress("Comparing", None, "trades") as shown:
            rebuilt = rebuild(connection, named_symbols(connection, options.symbol), shown.note)
    print(mended_text(rebuilt.found))
    if rebuilt.remaining.totals:
        raise StoreError(advice(rebuilt.remaining))
    return 0


def _sessions(settings: Settings, options: Options) -> int:
    database = open_database(settings)
    try:
        check_may_record(database.read_only_reason)
        names = [read_symbol(text) for text in options.symbol]
        if unknown := [name for name in names if name not in database.store.symbol_names()]:
            raise UsageError(f"Nothing of {unknown[0]} is stored: cryptopipe symbols lists what is.")
        for name in read_calendars(settings.calendars).values():
            named_calendar(name)  # raises where it cannot be loaded
        kept = database.store.keep_sessions(time.time_ns() // 1_000, names, whole=True)
    finally:
        database.close()
    if options.as_json:
        print(json.dumps([one._asdict() for one in kept], indent=2))
    elif kept:
        rows = [(one.symbol, one.calendar, f"{one.sessions:,}", f"{one.gaps:,}") for one in kept]
        print(aligned(("symbol", "calendar", "sessions", "gaps"), rows, left=2))
    else:
        print("No prices with bid and ask are stored, so there are no sessions to keep.")
    return 0


def _retention(settings: Settings, options: Options) -> int:
    wanted = proposal(options.keep or settings.keep_trades)
    with database_session(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        held = read_retention(connection)
        keep = wanted if isinstance(wanted, RetentionPeriod) else None if wanted == OFF else held.keep
        lake, open_lake = _lake_of(settings, held), lake_opener(settings)
        planned = None if keep is None else plan(connection, keep, lake, open_lake)
        if not options.as_json:
            print(held_text(held) if planned is None else f"{held_text(held)}\n\n{plan_text(planned)}")
        dropped = None
        is_in_force = held.keep == keep == ticks_kept_for(connection) and held.lake == lake
        if (wanted is not None or held.lake != lake) and _is_confirmed(options, planned, lake, is_in_force=is_in_force):
            confirm(connection, keep, lake)
            dropped = enforce(connection, open_lake=open_lake)
            held = read_retention(connection)
            if not options.as_json:
                print(f"\n{held_text(held)}" + (f"\n{plan_text(dropped, done=True)}" if dropped else ""))
                print(_overruled(settings, held), end="")
    if options.as_json:
        answer = upkeep_json(RetentionReport(held, None, None))
        later = dropped if dropped is not None and dropped.by_policy else None
        gone = None if later is not None else dropped
        for name, one in (("would_drop", planned), ("dropped", gone), ("left_to_policy", later)):
            answer[name] = None if one is None else plan_json(one)
        print(json.dumps(answer, indent=2))
    return 0


def _lake_of(settings: Settings, held: RetentionRecord) -> str:
    """Return the lake that is to hold what is dropped: the one on the command line, else the recorded one."""
    if settings.origins.get("lake") is not SettingOrigin.COMMAND_LINE:
        return held.lake
    return str(parse_address(settings.lake)) if settings.lake else ""


def _overruled(settings: Settings, held: RetentionRecord) -> str:
    """Return a line if the setting keep_trades will override the confirmed period at the next start, else empty."""
    proposed = proposal(settings.keep_trades)
    if (
        proposed is None
        or held.keep is None
        or (isinstance(proposed, RetentionPeriod) and proposed.days <= held.keep.days)
    ):
        return ""
    return f"The setting keep_trades says {proposed}, which takes its place when the program starts: change it.\n"


def _is_confirmed(options: Options, planned: RetentionPlan | None, lake: str, *, is_in_force: bool) -> bool:
    """Whether the user confirms, by ``--yes`` or at the terminal; without a terminal, print how to."""
    keep = planned.keep if planned is not None else None
    if options.yes:
        return True
    if is_in_force or options.as_json:
        return False
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        where = f" --lake {shlex.quote(lake)}" if lake else ""
        print(f"\nNothing was changed: cryptopipe db retention {keep or OFF}{where} --yes confirms it.")
        return False
    if planned is None:
        question = "Keep all trades from now on?"
    elif planned.rows or (planned.ticks is not None and planned.ticks.rows):
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


def _convert(settings: Settings, options: Options) -> int:
    del options
    with database_session(settings, statement_timeout_s=_WORK_TIMEOUT_S) as connection:
        migrate(connection)
        switch_on_timescale(connection)
        due = [one for table in CONVERTED if (one := conversion_due(connection, table)) is not None]
        if not due:
            print(
                "There is nothing to convert: trades and ticks are stored as well as this server and this user allow."
            )
            return 0
        for one in due:
            with progress("Copying", one.rows, one.of.plural) as shown:
                converted = convert(connection, lambda done, total: shown.update(done, total=total), one.of)
            if not converted:
                raise StoreError("Another program is changing the database just now: try again when it is done.")
            if one.rows or len(due) == 1:
                print(f"{one.rows:,} {one.of.plural} were converted to a hypertable.")
        set_up_edition(connection)
    return 0


def _upkeep(settings: Settings, connection: Connection) -> RetentionReport:
    wanted = proposal(settings.keep_trades)
    due = [conversion_due(connection, table) for table in CONVERTED]
    held = read_retention(connection)
    waiting = dict[str, tuple[WaitingPart, ...]]()
    if held.lake and held.keep is not None:
        planned = plan(connection, held.keep, held.lake, lake_opener(settings))
        waiting = {"trades": planned.waiting, "ticks": planned.ticks.waiting if planned.ticks else ()}
    return RetentionReport(held, wanted if isinstance(wanted, RetentionPeriod) else None, due[0], due[1], waiting)


def _run_program(settings: Settings, options: Options) -> int:
    folder = Path(settings.postgres_bin) if settings.postgres_bin else None
    arguments = program_for(options.program, folder)
    with database_session(settings) as connection:
        environment = environment_for(connection, writing=options.writing)
        connection.close()
        return run_program(arguments, environment)


_COMMANDS: dict[str, Command] = {
    "db status": _status,
    "db verify": _verify,
    "db rebuild": _rebuild,
    "db sessions": _sessions,
    "db retention": _retention,
    "db convert": _convert,
    "db url": _url,
    "db run": _run_program,
}
