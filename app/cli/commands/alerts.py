"""``alerts``: conditions on trades, and the trades that met them."""

from __future__ import annotations

import rich_click as click

from app.cli.commands.root import JSON, RECORDING, SYMBOLS, cryptopipe
from app.cli.completion import (
    symbols,
)
from app.commands.options import Options, Run
from app.config.settings import Settings


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
@click.option("--sound/--no-sound", default=False, help="Play the system's alert sound, where a window is open.")
@click.option("--notify/--no-notify", default=True, help="Show a notification of the desktop there (the default).")
@JSON
def alerts_add(settings: Settings, options: Options) -> Run:
    """
    Wait for a condition; programs that record judge every trade from now on.

    CONDITION is "price crosses [up|down] 65000", "price enters 90 to 110", "price leaves 90 to 110",
    "moves [up|down] 2% in 5m", "volume > 3x average 20 of 5m", "rsi:14 of 5m crosses up 70",
    "ema:20 of 1h crosses ema:50" or "price crosses [up|down] drawing ID".

    Without a trade fire "trades missing for 30s", "feed lost for 10s" and "recorder in trouble for 10s"; SYMBOL may be
    "all" there.
    """
    return _alerts(settings, options)


@alerts.command("list")
@SYMBOLS
@JSON
def alerts_list(settings: Settings, options: Options) -> Run:
    """List alerts and their firings, of the symbols named or of all."""
    return _alerts(settings, options)


@alerts.command("remove")
@click.argument("number", metavar="ID", type=int)
@JSON
def alerts_remove(settings: Settings, options: Options) -> Run:
    """Remove an alert and its firings."""
    return _alerts(settings, options)


@alerts.command("pause")
@click.argument("number", metavar="ID", type=int)
@click.option("--for", "pause_for", metavar="TIME", default="", help="For how long: 1h, 30m; left out: until resumed.")
@JSON
def alerts_pause(settings: Settings, options: Options) -> Run:
    """Let no trade from now on meet an alert."""
    return _alerts(settings, options)


@alerts.command("resume")
@click.argument("number", metavar="ID", type=int)
@JSON
def alerts_resume(settings: Settings, options: Options) -> Run:
    """Let trades meet a paused alert again, from now on."""
    return _alerts(settings, options)


@alerts.command("verify")
@SYMBOLS
@JSON
def alerts_verify(settings: Settings, options: Options) -> Run:
    """
    Compute every firing again from the stored trades, and compare; exit code 0 only where nothing differs.

    Of the symbols named, or of all.
    """
    return _alerts(settings, options)
