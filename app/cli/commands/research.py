"""``research``: tables of rolling windows."""

from __future__ import annotations

import rich_click as click

from app.cli.commands.root import DATA, JSON, cryptopipe
from app.cli.completion import (
    symbol_lists,
)
from app.commands.options import Options, Run
from app.config.settings import Settings


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
@JSON
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
@JSON
def research_drop(settings: Settings, options: Options) -> Run:
    """Drop the rows of these symbols and lengths; without MINUTES those of all lengths."""
    return _research(settings, options)


@research.command("status")
@click.argument("symbol", metavar="[SYMBOL,…]", required=False, default="", shell_complete=symbol_lists)
@click.argument("minutes", metavar="[MINUTES,…]", required=False, default="")
@JSON
def research_status(settings: Settings, options: Options) -> Run:
    """Show the rows, partitions, sizes and updates of these tables, and what a query of a month reads."""
    return _research(settings, options)
