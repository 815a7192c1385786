"""
The command line: its options, and the exit codes.

0 done, 1 failed (one line on standard error says why and what to do), 2 wrong usage. `app.main` opens the window, so
nothing here needs Qt. Commands are imported when they run: neither the window nor the sandbox should wait for them.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from app.config.settings import Settings, declarations, load
from app.market.errors import CryptopipeError, SettingsError, UsageError
from app.observability.logs import start_logging

DONE, FAILED, WRONG_USAGE = 0, 1, 2
VERSION = "0.1.0"

logger = logging.getLogger(__name__)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


class _SecretAction(argparse.Action):
    """Refuses an option for a secret without repeating its value; ``const`` is the variable to set instead."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any, **named: Any) -> NoReturn:
        del parser, rest, named
        raise UsageError(
            f"{self.option_strings[0]} is no option, because other programs can read a command line: set {self.const}."
        )


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    settings = _Parser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    group = settings.add_argument_group("settings", "each also as CRYPTOPIPE_… in the environment and in config.toml")
    for declared in declarations():
        if declared.is_secret:
            group.add_argument(declared.option, action=_SecretAction, const=declared.variable, help=argparse.SUPPRESS)
        elif declared.name != "symbols":
            group.add_argument(declared.option, metavar="VALUE", help=declared.sentence.replace("%", "%%"))
    top = _Parser(
        prog="cryptopipe",
        description="Live Binance candles on a desktop chart, with every trade in a database of your own.",
        epilog="Without a command the window opens.",
        parents=[settings],
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"cryptopipe {VERSION}")
    top.add_argument("--demo", action="store_true", help="open the window on a simulated market, with data of its own")
    top.add_argument("--symbols", metavar="LIST", default=argparse.SUPPRESS, help="symbols to watch and record")
    top.add_argument(
        "--quit-after-first-paint", action="store_true", help="print the time to the first painted candles and quit"
    )
    command = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, sentence: str) -> argparse.ArgumentParser:
        return command.add_parser(name, help=sentence, description=sentence, parents=[settings], allow_abbrev=False)

    collect = add("collect", "Record trades without a window, until Ctrl-C.")
    collect.add_argument("--symbols", metavar="LIST", default=argparse.SUPPRESS, help="symbols to record: BTCUSDT,…")
    collect.add_argument("--for", dest="duration", metavar="TIME", help="stop after that long: 60s, 10m, 8h")

    export = add("export", "Write stored candles to a CSV file.")
    export.add_argument("symbol", metavar="SYMBOL")
    export.add_argument("interval", metavar="INTERVAL", help="1m, 4h, 13m …")
    export.add_argument("--from", dest="start", metavar="TIME", help="first open time, UTC: 2024-08-08 or …T23:55")
    export.add_argument("--to", dest="end", metavar="TIME", help="open times before this, UTC")
    export.add_argument("--out", dest="path", metavar="FILE", type=Path, required=True, help="ends in .csv")

    gaps = add("gaps", "List the trades that are missing between those stored; fetch them.")
    gaps.add_argument("symbol", nargs="*", metavar="SYMBOL", help="symbols to look at; all where none is named")
    gaps.add_argument("--repair", action="store_true", help="fetch what is missing, however much; Ctrl-C stops it")
    gaps.add_argument("--to-now", action="store_true", help="with --repair: also what follows the newest trade stored")
    gaps.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    _add_database_commands(add("db", "Look after the database: its state, its truth, other programs on it."), settings)

    sandbox = add("sandbox", "Serve a simulated or recorded market on this machine, in the exchange's protocol.")
    sandbox.add_argument("--port", type=int, default=9443, help="port on 127.0.0.1; 0 picks a free one")
    sandbox.add_argument("--replay", nargs="+", metavar="FILE", type=Path, help="recordings instead of the simulation")
    sandbox.add_argument("--speed", default="1", help="pace of a recording: 1, 10 … or max")
    sandbox.add_argument("--seed", type=int, default=1, help="the simulated market's seed")
    sandbox.add_argument("--rate", type=float, metavar="N", help="simulated trades per second, all symbols together")
    sandbox.add_argument("--history", default="90d", metavar="TIME", help="depth of the simulated past: 90d, 52w")
    sandbox.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input ends")

    check = add("doctor", "Check database, exchange, clock, disk and versions, and say what to do.")
    check.add_argument("--symbols", metavar="LIST", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    check.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    return top


def _add_database_commands(parser: argparse.ArgumentParser, settings: _Parser) -> None:
    command = parser.add_subparsers(dest="db_command", metavar="COMMAND", parser_class=_Parser, required=True)

    def add(name: str, sentence: str) -> argparse.ArgumentParser:
        return command.add_parser(name, help=sentence, description=sentence, parents=[settings], allow_abbrev=False)

    status = add("status", "Show what the database is, what it holds and how large it is.")
    status.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    check = add("verify", "Compare ranges and candles with the trades; exit code 0 only where nothing differs.")
    check.add_argument("symbol", nargs="*", metavar="SYMBOL", help="symbols to look at; all where none is named")
    check.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    mend = add("rebuild", "Make ranges and candles again from the trades where they differ.")
    mend.add_argument("symbol", nargs="*", metavar="SYMBOL", help="symbols to mend; all where none is named")
    keep = add("retention", "Show what keeping trades for a time drops; confirm it, or switch it off.")
    keep.add_argument("keep", nargs="?", metavar="LENGTH", help="90d, 26w, 18M, 2y, or off; else as set or confirmed")
    keep.add_argument("--yes", action="store_true", help="confirm it without being asked")
    keep.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    add("convert", "Convert trades in plain partitions to a hypertable, where TimescaleDB has appeared.")
    add("url", "Print the database's address for other programs, without a password.")
    run = add("run", "Run a program on the database, psql unless another is named; it may only read.")
    run.add_argument("--writing", action="store_true", help="let it write")
    run.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="PROGRAM …", help="it finds the database by libpq's variables PG…"
    )


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings in force, these options included."""
    names = {declared.name for declared in declarations()}
    named: dict[str, Any] = {name: value for name, value in vars(options).items() if name in names}
    return load(named)


def run_command(options: argparse.Namespace) -> int:
    """Run the headless command that ``options`` name and return the exit code."""
    settings = settings_from(options)
    run = _prepared(settings, options)  # before the log opens: a refused command makes no files
    name = "sandbox" if options.command == "sandbox" else "cryptopipe"
    start_logging(settings.data_dir, settings.log_level, settings.log_format, name=name)
    if name != "sandbox":
        warn_of_password(settings)
    return run()


def warn_of_password(settings: Settings) -> None:
    """Log a warning if others can read the database's password."""
    if not settings.database_url:
        return
    from app.runtime.open_database import password_warning

    if warning := password_warning(settings):
        logger.warning(warning)


def _prepared(settings: Settings, options: argparse.Namespace) -> Callable[[], int]:
    # Imported where they are used: the window and the sandbox start without the others' packages.
    if options.command == "sandbox":
        from app.commands import sandbox

        return sandbox.prepare(options)
    if options.command == "doctor":
        from app.commands import doctor

        return partial(doctor.report, settings, as_json=options.as_json)
    if options.command == "gaps":
        from app.commands import gaps

        return gaps.prepare(settings, options)
    if options.command == "db":
        from app.commands import db

        return db.prepare(settings, options)
    if options.command == "collect":
        from app.commands import collect

        return collect.prepare(settings, options.duration)
    from app.commands import export

    return export.prepare(settings, options)


def guarded(work: Any, arguments: Sequence[str]) -> int:
    """Call ``work(options)``; turn what it raises into an exit code and one line on standard error."""
    root = logging.getLogger()
    if not root.handlers:  # or Python prints warnings to standard error until the log is open
        root.addHandler(logging.NullHandler())
    try:
        return int(work(parser().parse_args(arguments)))
    except (UsageError, SettingsError) as error:
        return _say(error, WRONG_USAGE)
    except CryptopipeError as error:
        logger.error("failed: %s", error)  # no traceback: it is no fault of the program
        logger.debug("failed so:", exc_info=error)
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:  # because no traceback may reach a user; the log file gets it
        logger.critical("uncaught", exc_info=error)
        return _say(f"something went wrong inside ({type(error).__name__}); the log file tells more.", FAILED)


def _say(sentence: object, code: int) -> int:
    print(f"cryptopipe: {sentence}", file=sys.stderr)
    return code
