"""
Every command with its options and arguments, as ``--help`` shows them.

A function here stands for its command: its docstring is the command's sentence, and it imports the module of
`app.commands` that does the work, so that help, completion and the window start without any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import rich_click as click

from app.cli.completion import (
    SHELLS,
    exported_rows,
    file_formats,
    intervals,
    keep_periods,
    presets,
    setting_names,
    setting_values,
    symbol_lists,
    symbols,
)
from app.cli.parsing import FurtherFiles, Group, SettingOption, options_of
from app.commands.options import Options, Run
from app.config.settings import Settings
from app.config.version import VERSION
from app.market.errors import UsageError
from app.market.file_format import FileFormat, Preset

Declared = TypeVar("Declared", bound=Callable[..., object])

RECORDING, DATA, PROGRAM = "Recording", "Data", "Program"

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SYMBOLS = click.argument("symbol", metavar="[SYMBOL]…", nargs=-1, shell_complete=symbols)


def _symbols_setting(sentence: str) -> Callable[[Declared], Declared]:
    """Return the decorator for the setting ``symbols``, where a command shows it as an option of its own."""
    return click.option(
        "--symbols", "setting_symbols", cls=SettingOption, metavar="LIST", shell_complete=symbol_lists, help=sentence
    )


def _recording(name: str, metavar: str, sentence: str, *, multiple: bool = False) -> Callable[[Declared], Declared]:
    """Return the decorator for an option of the sandbox that names recordings to serve."""
    return click.option(
        name,
        multiple=multiple,
        metavar=metavar,
        type=click.Path(path_type=Path),
        panel="Recording",
        help=sentence,
    )


@click.group(
    "cryptopipe",
    cls=Group,
    invoke_without_command=True,
    epilog="Without a command the window opens. Every setting is an option, too, such as --data-dir FOLDER; "
    "cryptopipe settings list shows them.",
)
@click.version_option(VERSION, prog_name="cryptopipe", message="%(prog)s %(version)s")
@click.option("--demo", is_flag=True, help="Open the window on a simulated market, with data of its own.")
@_symbols_setting("Symbols to watch and record: BTCUSDT,…")
@click.option("--quit-after-first-paint", is_flag=True, help="Print the time to the first painted candles, and quit.")
@click.pass_context
def cryptopipe(ctx: click.RichContext, /, **_: object) -> Options:
    """Live Binance candles on a desktop chart, with every trade in a database of your own."""
    return options_of(ctx)


@cryptopipe.command("collect", panel=RECORDING)
@_symbols_setting("Symbols to record: BTCUSDT,…")
@click.option("--for", "duration", metavar="TIME", help="Stop after that long: 60s, 10m, 8h.")
def collect(settings: Settings, options: Options) -> Run:
    """Record trades without a window, until Ctrl-C."""
    from app.commands import collect

    return collect.prepare(settings, options.duration)


@cryptopipe.command("gaps", panel=RECORDING)
@_SYMBOLS
@click.option("--repair", is_flag=True, help="Fetch what is missing, however much; Ctrl-C stops it.")
@click.option("--to-now", is_flag=True, help="With --repair: also what follows the newest trade stored.")
@_JSON
def gaps(settings: Settings, options: Options) -> Run:
    """
    List the trades that are missing between those stored; fetch them.

    Of the symbols named, or of all.
    """
    from app.commands import gaps

    return gaps.prepare(settings, options)


@cryptopipe.command("export", panel=DATA)
@click.argument("symbol", metavar="SYMBOL,…", shell_complete=symbol_lists)
@click.argument("interval", metavar="INTERVAL,…|trades|quotes|gaps|sessions|session_gaps", shell_complete=exported_rows)
@click.option("--from", "start", metavar="TIME", panel="Range", help="First open time, UTC: 2024-08-08 or …T23:55.")
@click.option("--to", "end", metavar="TIME", panel="Range", help="Open times before this, UTC; without it, until now.")
@click.option("--stored", is_flag=True, panel="Range", help="Only what is stored: fetch nothing.")
@click.option("--include-open", is_flag=True, panel="Range", help="Also the candle that is open, or cut off by --to.")
@click.option(
    "--out",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    panel="File",
    help="A file, a folder, or - for standard output; without it, a file here.",
)
@click.option(
    "--format",
    metavar="FORMAT",
    shell_complete=file_formats,
    panel="File",
    help=f"{', '.join(FileFormat)}; without it, by the file's ending.",
)
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=presets,
    panel="File",
    help=f"Whose names, order and numbers: {', '.join(Preset)}.",
)
@click.option("--zone", metavar="ZONE", panel="File", help="Time zone of times in text: Europe/Berlin (UTC).")
@click.option("--columns", metavar="NAME,…", panel="File", help="Only these columns, in this order.")
@click.option("--indicators", metavar="NAME:N,…", panel="File", help="Columns of indicators: sma:20,rsi:14,macd.")
@click.option("--rolling", is_flag=True, panel="File", help="A candle of that length for every minute: 60m, 1h, 13m.")
@click.option(
    "--price",
    type=click.Choice(["mid", "bid", "ask"]),
    panel="File",
    help="Which price the candles of quotes are of (mid).",
)
@click.option("--json", "as_json", is_flag=True, panel="File", help="Print JSON: what was written and what is missing.")
def export(settings: Settings, options: Options) -> Run:
    """
    Write candles to a file: those stored, and the exchange's where they are not. Or stored trades, quotes, or gaps,
    and the sessions of a symbol's market and the gaps of its price between them.

    SYMBOL is written as BTCUSDT, BTC/USDT, btc-usdt or BTC; INTERVAL as 1m, 4h, 13m, 90s, 1M. Several of either go to a
    folder, a file each. Exit code 3: a file lacks some of what was asked for; the line on standard error says which,
    and why.
    """
    from app.commands import export

    return export.prepare(settings, options)


@cryptopipe.command("history", panel=DATA)
@click.argument("symbols", metavar="SYMBOL,…", shell_complete=symbol_lists)
@click.argument("what", metavar="INTERVAL|trades|quotes", shell_complete=intervals, required=False, default="")
@click.option("--from", "start", metavar="TIME", panel="Range", help="Begin, UTC: 2024-08-08 or 2024-08-08T23:55.")
@click.option("--to", "end", metavar="TIME", panel="Range", help="End, UTC; without it, now.")
@click.option(
    "--days",
    type=int,
    metavar="N",
    panel="Range",
    help="Instead of --from: that many whole UTC days before the day of the end.",
)
@click.option(
    "--group", metavar="NAME", default="", panel="Range", help="Dukascopy's symbols of a group: majors, crypto."
)
@click.option(
    "--source",
    type=click.Choice(["archive", "rest"]),
    panel="Source",
    help="Ask only the archive of whole days and months, or only the REST interface.",
)
@click.option("--parallel", type=int, default=6, metavar="N", panel="Source", help="Files or ranges at once (6).")
@click.option("--keep-files", is_flag=True, panel="Source", help="Keep the archive's files in the data directory.")
@click.option("--lines", "in_lines", is_flag=True, hidden=True, help="For the window: progress and report in lines.")
@_JSON
def history(settings: Settings, options: Options) -> Run:
    """
    Bring past trades or candles into the database, from the exchange's archive and what that lacks by REST.

    Of Dukascopy's symbols it brings quotes, hour by hour: cryptopipe history dukascopy:EURUSD quotes --days 30.
    Of OANDA's it brings the candles that OANDA makes, of bid, ask and mid: cryptopipe history oanda:EURUSD 1m --days 5.

    SYMBOL is written as BTCUSDT, BTC/USDT, btc-usdt or BTC; INTERVAL as 1m, 4h, 13m, 90s, 1M. What is stored is not
    fetched again, so a command that was interrupted goes on when it is given again. Exit code 3: some of it could not
    be had; standard error says what, and why.
    """
    from app.commands.downloads import history

    return history.prepare(settings, options)


@cryptopipe.command("symbols", panel=DATA)
@_SYMBOLS
@click.option("--days", is_flag=True, help="Also each day: trades held and missing, and which candles.")
@_JSON
def list_symbols(settings: Settings, options: Options) -> Run:
    """
    List what is stored of each symbol: trades or quotes, candles, what is missing, sizes.

    Of the symbols named, or of all that the database knows.
    """
    from app.commands import symbols as command

    return command.prepare(settings, options)


@cryptopipe.command("import", panel=DATA)
@click.argument(
    "paths",
    metavar="FILE…",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, readable=False),  # one that may not be read is no reason to leave out the others
)
@click.option(
    "--symbol", metavar="SYMBOL", panel="Rows", shell_complete=symbols, help="Their symbol, where they have none."
)
@click.option(
    "--kind",
    metavar="KIND",
    panel="Rows",
    help="What they are: trades, aggtrades, klines, candles or quotes.",
)
@click.option("--interval", metavar="INTERVAL", panel="Rows", shell_complete=intervals, help="The candles' interval.")
@click.option("--map", "columns", multiple=True, metavar="NAME=COLUMN", panel="Rows", help="Which column is our NAME.")
@click.option("--dry-run", is_flag=True, help="Read everything, store nothing.")
@_JSON
def import_files(settings: Settings, options: Options) -> Run:
    """
    Bring files of trades, quotes and candles into the database.

    FILE is a file or a folder: archives of the exchange, Dukascopy's tree of .bi5 files, CSV, Parquet and others. What
    is stored already is not stored again, so an import that was stopped is simply repeated. Exit code 3: rows were
    refused, or ids are missing; refused rows are in FILE.refused.csv. Exit code 1: nothing of a file could be used.
    """
    from app.commands.imports import import_files as command

    return command.prepare(settings, options)


@cryptopipe.command("serve", panel=DATA)
@click.option(
    "--host", "setting_serve_host", cls=SettingOption, metavar="ADDRESS", help="Address to serve at (127.0.0.1)."
)
@click.option("--port", type=int, metavar="PORT", help="Port to serve at (8080); 0 picks a free one.")
@click.option("--record", is_flag=True, help="Record as well, as collect does.")
def serve(settings: Settings, options: Options) -> Run:
    """
    Let other programs read what is stored, over HTTP and WebSocket, while it is recorded.

    Candles, live trades, health and metrics: docs/serving.md lists the addresses. Other machines may read only with a
    token and TLS.
    """
    from app.commands import serve

    return serve.prepare(settings, options)


@cryptopipe.group("lake", panel=DATA)
def lake(**_: object) -> None:
    """Keep days of trades and quotes as partitioned Parquet in a folder or a bucket, which other tools read."""


def _lake_arguments(command: Declared) -> Declared:
    """Declare what every command of the lake takes; `app.commands.lake.lake_options` says how LAKE may be left out."""
    for declare in (
        _JSON,
        click.option("--to", "end", metavar="TIME", panel="Range", help="Days before this, UTC."),
        click.option("--from", "start", metavar="TIME", panel="Range", help="First day, UTC: 2024-08-08."),
        click.argument("symbols", metavar="[SYMBOL,…]", required=False, default="", shell_complete=symbol_lists),
        click.argument("lake", metavar="[LAKE]", required=False, default=""),
    ):
        command = declare(command)
    return command


_LAKE_KIND = click.option(
    "--kind",
    type=click.Choice(["trades", "quotes", "candles"]),
    help="Only these rows (trades and quotes). Candles are the exchange's, a file for each interval and year.",
)


@lake.command("push")
@_LAKE_KIND
@_lake_arguments
def lake_push(settings: Settings, options: Options) -> Run:
    """
    Write the complete days of the database that are not in the lake yet.

    LAKE is a folder or s3://bucket/prefix; without it, the setting lake. A day is complete when the trades before and
    after it are known. Nothing in the lake is overwritten, and a push that was stopped is simply repeated. Exit code 3:
    days of the range asked for are not complete.
    """
    from app.commands.lake import push

    return push.prepare(settings, options)


@lake.command("pull")
@_LAKE_KIND
@_lake_arguments
def lake_pull(settings: Settings, options: Options) -> Run:
    """
    Bring days out of the lake into the database.

    LAKE is a folder or s3://bucket/prefix; without it, the setting lake. Each file is checked before its first row is
    stored, and what is stored already is not stored again. Exit code 3: days of the range asked for are not in the
    lake, or trades contradict those stored.
    """
    from app.commands.lake import pull

    return pull.prepare(settings, options)


@lake.command("list")
@click.option("--sample", is_flag=True, help="Also some rows of each symbol.")
@_lake_arguments
def lake_list(settings: Settings, options: Options) -> Run:
    """
    List what is in the lake: days, ids, rows and sizes.

    LAKE is a folder or s3://bucket/prefix; without it, the setting lake.
    """
    from app.commands.lake import list_lake

    return list_lake.prepare(settings, options)


@lake.command("verify")
@_lake_arguments
def lake_verify(settings: Settings, options: Options) -> Run:
    """
    Read the lake and find missing days, damaged files and wrong counts; exit code 0 only where nothing is wrong.

    LAKE is a folder or s3://bucket/prefix; without it, the setting lake. Every day between the first and the last of a
    symbol, or of the range asked for, must be there.
    """
    from app.commands.lake import verify

    return verify.prepare(settings, options)


@lake.command("candles")
@click.argument("words", metavar="[LAKE] SYMBOL,… INTERVAL…", nargs=-1)
@click.option("--from", "start", metavar="TIME", panel="Range", help="First open time, UTC: 2024-08-08.")
@click.option("--to", "end", metavar="TIME", panel="Range", help="Candles that end by then, UTC.")
@click.option(
    "--out",
    "path",
    metavar="FILE|FOLDER",
    type=click.Path(path_type=Path),
    panel="File",
    help="A file, a folder, or -; without it, into the database.",
)
@click.option("--format", metavar="FORMAT", shell_complete=file_formats, panel="File", help=", ".join(FileFormat))
@click.option("--preset", metavar="NAME", shell_complete=presets, panel="File", help=f"{', '.join(Preset)}.")
@click.option("--zone", metavar="ZONE", panel="File", help="Time zone of times in text: Europe/Berlin (UTC).")
@_JSON
def lake_candles(settings: Settings, options: Options) -> Run:
    """
    Make candles of any interval from the lake's trades, into a file or the database.

    Each file of the lake is read once, however many intervals are asked for. LAKE is a folder or s3://bucket/prefix;
    without it, the setting lake. Files are those of cryptopipe export. Exit code 3: candles of the range asked for are
    missing, or lack trades.
    """
    from app.commands.lake import candles

    return candles.prepare(settings, options)


@cryptopipe.command("import-job", hidden=True)
def import_job(settings: Settings, options: Options) -> Run:
    """Import what a window asks for on standard input."""
    del options
    from app.commands.imports import import_job

    return import_job.prepare(settings)


@cryptopipe.group("research", panel=DATA)
def research(**_: object) -> None:
    """Tables of rolling windows: a row every minute for each length, with indicators."""


def _research(settings: Settings, options: Options) -> Run:
    from app.commands.research import research

    return research.prepare(settings, options)


@research.command("build")
@click.argument("symbol", metavar="SYMBOL,…", shell_complete=symbol_lists)
@click.argument("minutes", metavar="MINUTES,…")
@click.option("--from", "start", metavar="TIME", help="First minute, UTC: 2024-08-08 or …T23:55.")
@click.option("--to", "end", metavar="TIME", help="Minutes before this, UTC.")
@click.option("--indicators", metavar="NAME,…", default="", help="Columns to add to all tables: rsi_14,atr_14,cvd.")
@click.option("--keep/--no-keep", default=None, help="Whether recording programs keep these rows up to date.")
@_JSON
def research_build(settings: Settings, options: Options) -> Run:
    """
    Write the windows of the stored minutes into tables ohlcv_{N}m.

    MINUTES are lengths: 1,5,13,60,181. Rows that are there already are written only where they differ. Without --from
    and --to these are the windows of everything stored.
    """
    return _research(settings, options)


@research.command("drop")
@click.argument("symbol", metavar="SYMBOL,…", shell_complete=symbol_lists)
@click.argument("minutes", metavar="[MINUTES,…]", required=False, default="")
@_JSON
def research_drop(settings: Settings, options: Options) -> Run:
    """Drop the rows of these symbols and lengths; without MINUTES those of all lengths."""
    return _research(settings, options)


@research.command("status")
@click.argument("symbol", metavar="[SYMBOL,…]", required=False, default="", shell_complete=symbol_lists)
@click.argument("minutes", metavar="[MINUTES,…]", required=False, default="")
@_JSON
def research_status(settings: Settings, options: Options) -> Run:
    """Show the rows, partitions, sizes and updates of these tables, and what a query of a month reads."""
    return _research(settings, options)


@cryptopipe.group("alerts", panel=RECORDING)
def alerts(**_: object) -> None:
    """Set alerts on a price, a volume or an indicator, and verify every firing against the stored trades."""


def _alerts(settings: Settings, options: Options) -> Run:
    from app.commands.alerts import alerts

    return alerts.prepare(settings, options)


@alerts.command("add")
@click.argument("symbol", metavar="SYMBOL", shell_complete=symbols)
@click.option("--when", metavar="CONDITION", required=True, help="What to wait for, as below.")
@click.option(
    "--repeat",
    type=click.Choice(["once", "candle", "every"]),
    default="once",
    help="Fire once (the default), once in each candle, or every time.",
)
@click.option("--name", metavar="TEXT", default="", help="What to call it.")
@click.option("--note", metavar="TEXT", default="", help="What to remember about it.")
@click.option("--expires", metavar="TIME", default="", help="No trade from then on meets it, UTC: 2026-12-24T18:00.")
@_JSON
def alerts_add(settings: Settings, options: Options) -> Run:
    """
    Wait for a condition; programs that record judge every trade from now on.

    CONDITION is "price crosses [up|down] 65000", "price enters 90 to 110", "price leaves 90 to 110",
    "moves [up|down] 2% in 5m", "volume > 3x average 20 of 5m", "rsi:14 of 5m crosses up 70" or
    "ema:20 of 1h crosses ema:50".
    """
    return _alerts(settings, options)


@alerts.command("list")
@_SYMBOLS
@_JSON
def alerts_list(settings: Settings, options: Options) -> Run:
    """List alerts and their firings, of the symbols named or of all."""
    return _alerts(settings, options)


@alerts.command("remove")
@click.argument("number", metavar="ID", type=int)
@_JSON
def alerts_remove(settings: Settings, options: Options) -> Run:
    """Remove an alert and its firings."""
    return _alerts(settings, options)


@alerts.command("verify")
@_SYMBOLS
@_JSON
def alerts_verify(settings: Settings, options: Options) -> Run:
    """
    Compute every firing again from the stored trades, and compare; exit code 0 only where nothing differs.

    Of the symbols named, or of all.
    """
    return _alerts(settings, options)


@cryptopipe.group("db", panel=DATA)
def db(**_: object) -> None:
    """Look after the database: its state, its truth, other programs on it."""


def _db(settings: Settings, options: Options) -> Run:
    from app.commands import db

    return db.prepare(settings, options)


@db.command("status")
@_JSON
def status(settings: Settings, options: Options) -> Run:
    """Show what the database is, what it holds and how large it is."""
    return _db(settings, options)


@db.command("verify")
@_SYMBOLS
@_JSON
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
@_JSON
def compare(settings: Settings, options: Options) -> Run:
    """
    Compare candles counted from the trades with the exchange's, field by field.

    The exchange's candles are those that are stored, else they are fetched. INTERVAL is 1m unless it is named. Exit
    code 0 only where all were compared and nothing differs; 3: nothing differs, but some could not be compared.
    """
    from app.commands import compare

    return compare.prepare(settings, options)


@db.command("rebuild")
@_SYMBOLS
def rebuild(settings: Settings, options: Options) -> Run:
    """
    Make ranges and candles again from the trades where they differ.

    Of the symbols named, or of all.
    """
    return _db(settings, options)


@db.command("sessions")
@_SYMBOLS
@_JSON
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
@_JSON
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


@cryptopipe.command("sandbox", panel=PROGRAM)
@click.option("--port", type=int, default=9443, metavar="PORT", help="Port on 127.0.0.1 (9443); 0 picks a free one.")
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input ends.")
@click.option("--seed", type=int, default=1, metavar="N", panel="Simulated market", help="The market's seed (1).")
@click.option(
    "--rate", type=float, metavar="N", panel="Simulated market", help="Trades per second, all symbols together."
)
@click.option(
    "--history", default="90d", metavar="TIME", panel="Simulated market", help="Depth of the past: 90d, 52w (90d)."
)
@_recording("--replay", "FILE…", "Recordings to serve instead of the simulation.", multiple=True)
@click.option(
    "--speed", default="1", metavar="PACE", panel="Recording", help="Pace of a recording: 1, 10 … or max (1)."
)
@_recording("--oanda-replay", "FILE", "Recorded days of OANDA's prices to replay.", multiple=True)
@_recording("--dukascopy-folder", "FOLDER", "Folder with Dukascopy's recordings: datafeed, json.")
@click.argument("more_recordings", nargs=-1, type=click.Path(path_type=Path), cls=FurtherFiles)
def sandbox(settings: Settings, options: Options) -> Run:
    """Serve simulated or recorded markets on this machine, in the protocol of each broker."""
    del settings
    from app.commands import sandbox

    if options.more_recordings and not options.replay:
        raise UsageError(f"“{options.more_recordings[0]}” is one argument too many: name recordings with --replay.")
    options.replay = [*options.replay, *options.more_recordings]
    return sandbox.prepare(options)


@cryptopipe.command("doctor", panel=PROGRAM)
@_symbols_setting("Symbols to ask the exchange for: BTCUSDT,…")
@_JSON
def doctor(settings: Settings, options: Options) -> Run:
    """Check database, exchange, clock, disk and versions, and say what to do."""
    from functools import partial

    from app.commands import doctor

    return partial(doctor.report, settings, as_json=options.as_json)


@cryptopipe.group("settings", panel=PROGRAM)
def settings_group(**_: object) -> None:
    """Show and change the settings, and where each value comes from."""


@settings_group.command("list")
@_JSON
def list_settings(settings: Settings, options: Options) -> Run:
    """List every setting with its value, where that comes from, and what it is for."""
    from app.commands import settings as command

    return command.prepare_list(settings, as_json=options.as_json)


@settings_group.command("get")
@click.argument("name", metavar="NAME", shell_complete=setting_names)
@_JSON
def get_setting(settings: Settings, options: Options) -> Run:
    """Print one setting's value."""
    from app.commands import settings as command

    return command.prepare_get(settings, options.name, as_json=options.as_json)


@settings_group.command("set")
@click.argument("name", metavar="NAME", shell_complete=setting_names)
@click.argument("value", metavar="VALUE", shell_complete=setting_values)
@_JSON
def set_setting(settings: Settings, options: Options) -> Run:
    """Write one setting into config.toml, or take it out there: set NAME default."""
    del settings
    from app.commands import settings as command

    return command.prepare_set(options.name, options.value, as_json=options.as_json)


@cryptopipe.command("completion", panel=PROGRAM)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(SHELLS))
def completion(settings: Settings, options: Options) -> Run:
    """Print the shell's script that completes commands, options, symbols and intervals."""
    del settings
    from app.cli import completion

    return completion.prepare(cryptopipe, options.shell)
