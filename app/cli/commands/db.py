"""``db``: the database itself."""

from __future__ import annotations

import rich_click as click

from app.cli.commands.root import DATA, JSON, SYMBOLS, cryptopipe
from app.cli.completion import (
    intervals,
    keep_periods,
    symbols,
)
from app.cli.parsing import SettingOption
from app.commands.options import Options, Run
from app.config.settings import Settings


@cryptopipe.group("db", panel=DATA)
def db(**_: object) -> None:
    """Look after the database: its state, its truth, other programs on it."""


def _db(settings: Settings, options: Options) -> Run:
    from app.commands import db

    return db.prepare(settings, options)


@db.command("status")
@JSON
def status(settings: Settings, options: Options) -> Run:
    """Show what the database is, what it holds and how large it is."""
    return _db(settings, options)


@db.command("verify")
@SYMBOLS
@JSON
def verify(settings: Settings, options: Options) -> Run:
    """
    Compare ranges and candles with the trades; exit code 0 only where nothing differs.

    Of the symbols named, or of all.
    """
    return _db(settings, options)


@db.command("compare")
@click.argument("symbol", metavar="SYMBOL", shell_complete=symbols)
@click.argument("interval", metavar="[INTERVAL]", required=False, default="1m", shell_complete=intervals)
@click.option("--from", "start", metavar="TIME", help="First open time, UTC: 2024-08-08 or …T23:55.")
@click.option("--to", "end", metavar="TIME", help="Open times before this, UTC.")
@JSON
def compare(settings: Settings, options: Options) -> Run:
    """
    Compare candles counted from the trades with the exchange's, field by field.

    The exchange's candles are those that are stored, else they are fetched. INTERVAL is 1m unless it is named. Exit
    code 0 only where all were compared and nothing differs; 3: nothing differs, but some could not be compared.
    """
    from app.commands import compare

    return compare.prepare(settings, options)


@db.command("rebuild")
@SYMBOLS
def rebuild(settings: Settings, options: Options) -> Run:
    """
    Make ranges and candles again from the trades where they differ.

    Of the symbols named, or of all.
    """
    return _db(settings, options)


@db.command("sessions")
@SYMBOLS
@JSON
def sessions(settings: Settings, options: Options) -> Run:
    """
    Make the tables of market sessions and of the gaps between them again.

    Of the symbols named, or of all with bid and ask. Recording, history and import keep them up to date.
    """
    return _db(settings, options)


@db.command("retention")
@click.argument("keep", metavar="[LENGTH]", required=False, shell_complete=keep_periods)
@click.option(
    "--lake",
    "setting_lake",
    cls=SettingOption,
    metavar="LAKE",
    help="Drop only what this lake holds and was verified there; --lake= asks none any more.",
)
@click.option("--yes", is_flag=True, help="Confirm it without being asked.")
@JSON
def retention(settings: Settings, options: Options) -> Run:
    """
    Show what keeping trades for a time drops; confirm it, or switch it off.

    LENGTH is 90d, 26w, 18M, 2y, or off; without it, the one that is set or confirmed. A lake is confirmed with it and
    remembered: trades and ticks that it does not hold stay, however old they are.
    """
    return _db(settings, options)


@db.command("convert")
def convert(settings: Settings, options: Options) -> Run:
    """Convert trades and ticks in plain partitions to hypertables, where TimescaleDB has appeared."""
    return _db(settings, options)


@db.command("url")
def url(settings: Settings, options: Options) -> Run:
    """Print the database's address for other programs, without a password."""
    return _db(settings, options)


@db.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--writing", is_flag=True, help="Let it write.")
@click.argument("program", metavar="[PROGRAM] …", nargs=-1, type=click.UNPROCESSED)
def run(settings: Settings, options: Options) -> Run:
    """
    Run a program on the database; it may only read.

    Without a program that is psql, with any options of its own: db run -c "SELECT …". The program finds the database
    by libpq's variables PG….
    """
    return _db(settings, options)
