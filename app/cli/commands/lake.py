"""``lake``: days of rows as Parquet in a folder or a bucket."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from app.cli.commands.root import DATA, JSON, Declared, cryptopipe
from app.cli.completion import (
    file_formats,
    presets,
    symbol_lists,
)
from app.commands.options import Options, Run
from app.config.settings import Settings
from app.market.file_format import FileFormat, Preset


@cryptopipe.group("lake", panel=DATA)
def lake(**_: object) -> None:
    """Keep days of trades and quotes as partitioned Parquet in a folder or a bucket, which other tools read."""


def _lake_arguments(command: Declared) -> Declared:
    """Declare what every command of the lake takes; `app.commands.lake.lake_options` says how LAKE may be left out."""
    for declare in (
        JSON,
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
@JSON
def lake_candles(settings: Settings, options: Options) -> Run:
    """
    Make candles of any interval from the lake's trades, into a file or the database.

    Each file of the lake is read once, however many intervals are asked for. LAKE is a folder or s3://bucket/prefix;
    without it, the setting lake. Files are those of cryptopipe export. Exit code 3: candles of the range asked for are
    missing, or lack trades.
    """
    from app.commands.lake import candles

    return candles.prepare(settings, options)
