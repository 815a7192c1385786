"""The command without a name, which opens the window, and the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import rich_click as click

from app.cli.completion import (
    symbol_lists,
    symbols,
)
from app.cli.parsing import Group, SettingOption, options_of
from app.commands.options import Options
from app.config.version import VERSION

Declared = TypeVar("Declared", bound=Callable[..., object])

RECORDING, DATA, PROGRAM = "Recording", "Data", "Program"
"""The panels of the help."""

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
SYMBOLS = click.argument("symbol", metavar="[SYMBOL]…", nargs=-1, shell_complete=symbols)


def symbols_setting(sentence: str) -> Callable[[Declared], Declared]:
    """Return the decorator for the setting ``symbols``, where a command shows it as an option of its own."""
    return click.option(
        "--symbols", "setting_symbols", cls=SettingOption, metavar="LIST", shell_complete=symbol_lists, help=sentence
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
@symbols_setting("Symbols to watch and record: BTCUSDT,…")
@click.option("--quit-after-first-paint", is_flag=True, help="Print the time to the first painted candles, and quit.")
@click.pass_context
def cryptopipe(ctx: click.RichContext, /, **_: object) -> Options:
    """Live Binance candles on a desktop chart, with every trade in a database of your own."""
    return options_of(ctx)
