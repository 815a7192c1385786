"""``drawings``: what is drawn on charts, as JSON out of the database and into it."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from app.cli.commands.root import DATA, JSON, SYMBOLS, cryptopipe
from app.cli.completion import (
    symbols,
)
from app.commands.options import Options, Run
from app.config.settings import Settings


@cryptopipe.group("drawings", panel=DATA)
def drawings(**_: object) -> None:
    """List what is drawn on charts, export it to a file, import it, and remove it."""


def _drawings(settings: Settings, options: Options) -> Run:
    from app.commands import drawings

    return drawings.prepare(settings, options)


@drawings.command("list")
@SYMBOLS
@JSON
def drawings_list(settings: Settings, options: Options) -> Run:
    """List drawings, of the symbols named or of all."""
    return _drawings(settings, options)


@drawings.command("export")
@SYMBOLS
@click.option(
    "--out",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default="-",
    help="A file; without it, standard output.",
)
@JSON
def drawings_export(settings: Settings, options: Options) -> Run:
    """
    Write drawings as JSON, of the symbols named or of all.

    docs/drawings.md describes the file; drawings import reads it.
    """
    return _drawings(settings, options)


@drawings.command("import")
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--to", metavar="SYMBOL", shell_complete=symbols, help="Put all on this symbol; others are copied to it.")
@JSON
def drawings_import(settings: Settings, options: Options) -> Run:
    """
    Store the drawings of JSON files; those with the same id are replaced.

    Windows on the database show them at once.
    """
    return _drawings(settings, options)


@drawings.command("remove")
@click.argument("symbol", metavar="SYMBOL", shell_complete=symbols)
@click.argument("ids", metavar="[ID]…", nargs=-1)
@click.option("--all", is_flag=True, help="All drawings of the symbol.")
@JSON
def drawings_remove(settings: Settings, options: Options) -> Run:
    """Remove drawings of a symbol: those named, or all."""
    return _drawings(settings, options)
