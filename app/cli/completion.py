"""
What the shell completes, and the scripts that have it do so.

At each press of Tab the shell runs the program once, so nothing here connects to anything: symbols come from the
settings and the window's watchlists.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from click.shell_completion import CompletionItem, get_completion_class, shell_complete

from app.commands.options import Run
from app.config.settings import choices_of, declarations, load
from app.market.errors import CryptopipeError
from app.market.file_columns import RowsOf
from app.market.file_format import FileFormat, Preset
from app.market.interval import MENU_INTERVALS

SHELLS = ("bash", "zsh", "fish")
_PROGRAM, VARIABLE = "cryptopipe", "_CRYPTOPIPE_COMPLETE"


def prepare(command: Any, shell: str) -> Run:
    """Return the function that prints the script for ``shell``."""
    return partial(_print_script, command, shell)


def _print_script(command: Any, shell: str) -> int:
    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(command, {}, _PROGRAM, VARIABLE).source())
    return 0


def complete(command: Any, instruction: str) -> int:
    """Answer a shell that asks what can follow what is typed so far; it says the rest in its environment."""
    return shell_complete(command, {}, _PROGRAM, VARIABLE, instruction)


def symbols(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the known symbols that begin with what is typed, in any case."""
    del param
    typed = set(ctx.params.get("symbol") or ())
    return _items((name for name in _known_symbols() if name not in typed), incomplete.upper())


def symbol_lists(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the lists that another symbol makes of the one typed: ``BTCUSDT,E`` becomes ``BTCUSDT,ETHUSDT``."""
    del ctx, param
    *before, last = incomplete.upper().split(",")
    lead = "".join(f"{name}," for name in before)
    return [
        CompletionItem(f"{lead}{name}") for name in _known_symbols() if name.startswith(last) and name not in before
    ]


def intervals(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the intervals of the menu; any other can be typed."""
    del ctx, param
    return _items((interval.name for interval in MENU_INTERVALS), incomplete)


def exported_rows(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the intervals of the menu, and the other rows that can be exported."""
    return [*intervals(ctx, param, incomplete), *_items(RowsOf, incomplete)]


def file_formats(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the formats of exported files."""
    del ctx, param
    return _items(FileFormat, incomplete)


def presets(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the presets of exported files."""
    del ctx, param
    return _items(Preset, incomplete)


def keep_periods(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return usual times to keep trades for."""
    del ctx, param
    return _items(("90d", "26w", "1y", "2y", "5y", "off"), incomplete)


def setting_names(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the settings' names, each with its sentence where the shell shows one."""
    del ctx, param
    return [
        CompletionItem(declared.name, help=declared.sentence)
        for declared in declarations()
        if declared.name.startswith(incomplete)
    ]


def setting_values(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Return the values of a setting that has a fixed choice of them."""
    if ctx.params.get("name") == "symbols":
        return symbol_lists(ctx, param, incomplete)
    return _items(choices_of(str(ctx.params.get("name"))), incomplete)


def _items(values: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _known_symbols() -> list[str]:
    from app.window.state.window_state import load_state

    try:
        settings = load()
        listed = load_state(settings).lists.union()
    except CryptopipeError:
        return []  # the command itself reports a wrong setting
    return list(dict.fromkeys([*listed, *settings.symbols]))
