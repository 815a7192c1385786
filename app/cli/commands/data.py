"""Commands that bring rows in, hand them out, and list them."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from app.cli.commands.root import DATA, JSON, SYMBOLS, cryptopipe
from app.cli.completion import (
    exported_rows,
    file_formats,
    intervals,
    presets,
    symbol_lists,
    symbols,
)
from app.cli.parsing import SettingOption
from app.commands.options import Options, Run
from app.config.settings import Settings
from app.market.file_format import FileFormat, Preset


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
@JSON
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
@SYMBOLS
@click.option("--days", is_flag=True, help="Also each day: trades held and missing, and which candles.")
@JSON
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
@JSON
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


@cryptopipe.command("import-job", hidden=True)
def import_job(settings: Settings, options: Options) -> Run:
    """Import what a window asks for on standard input."""
    del options
    from app.commands.imports import import_job

    return import_job.prepare(settings)
