"""Commands that record, and that look after what is recorded: ``collect`` and ``gaps``."""

from __future__ import annotations

import rich_click as click

from app.cli.commands.root import JSON, RECORDING, SYMBOLS, cryptopipe, symbols_setting
from app.commands.options import Options, Run
from app.config.settings import Settings


@cryptopipe.command("collect", panel=RECORDING)
@symbols_setting("Symbols to record: BTCUSDT,…")
@click.option("--for", "duration", metavar="TIME", help="Stop after that long: 60s, 10m, 8h.")
def collect(settings: Settings, options: Options) -> Run:
    """Record trades without a window, until Ctrl-C."""
    from app.commands import collect

    return collect.prepare(settings, options.duration)


@cryptopipe.command("gaps", panel=RECORDING)
@SYMBOLS
@click.option("--repair", is_flag=True, help="Fetch what is missing, however much; Ctrl-C stops it.")
@click.option("--to-now", is_flag=True, help="With --repair: also what follows the newest trade stored.")
@JSON
def gaps(settings: Settings, options: Options) -> Run:
    """
    List the trades that are missing between those stored; fetch them.

    Of the symbols named, or of all.
    """
    from app.commands import gaps

    return gaps.prepare(settings, options)
