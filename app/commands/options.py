"""What was typed on the command line, as the commands receive it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.config.settings import Settings

Run = Callable[[], int]
"""Does a command's work and returns its exit code."""


class Options(SimpleNamespace):
    """
    One command line: an attribute for each option and argument of its command, as app.cli.commands declares them.

    ``command`` is the command's name, None for the window; ``prepare`` is that command's function of the same name.
    ``settings`` are the values of the options that are settings, by name.
    """

    command: str | None
    prepare: Callable[[Settings, Options], Run] | None
    settings: Mapping[str, str]
