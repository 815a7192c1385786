"""
What every command has in common: the settings as options, suggestions, and sentences for what cannot be parsed.

`rich_click` parses the command line and prints the help. A command's callback does no work: parsing returns the
`Options` with the callback in them, so that the settings are loaded and the log is opened in one place,
`app.cli.program`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import rich_click as click
from click.exceptions import Exit, NoSuchCommand, NoSuchOption
from rich_click import Context

from app.commands.options import Options
from app.config.settings import declarations
from app.market.errors import UsageError

SETTINGS_LINE = "Every setting is an option, too, such as --data-dir FOLDER; cryptopipe settings list shows them."
_CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "allow_extra_args": True,  # `Command.parse_args` refuses them, in its own words
    "rich_help_config": {"theme": "slim", "max_width": 100, "commands_before_options": True},
}


_SETTING = "setting_"


class SettingOption(click.RichOption):
    """An option that is a setting. Its parameter's name begins with ``setting_``: export has an INTERVAL, too."""

    @property
    def setting(self) -> str:
        """The setting's name."""
        assert self.name is not None
        return self.name.removeprefix(_SETTING)


class FurtherFiles(click.RichArgument):
    """The files after the first of an option that takes several; help shows them with the option."""

    def get_usage_pieces(self, ctx: Any) -> list[str]:
        del ctx
        return []


@lru_cache
def _common_options() -> list[click.Option]:
    """Return the settings as options, and --no-color: every command takes them, no help shows them one by one."""
    options: list[click.Option] = []
    for declared in declarations():
        names = [declared.option, _SETTING + declared.name]
        if declared.is_secret:
            options.append(
                SettingOption(names, hidden=True, expose_value=False, is_eager=True, callback=_refuse_secret)
            )
        else:
            options.append(SettingOption(names, hidden=True, metavar=declared.metavar, help=declared.sentence))
    names = ["--no-color", "--no-colour"]
    options.append(
        click.RichOption(names, is_flag=True, expose_value=False, is_eager=True, hidden=True, callback=_without_colours)
    )
    return options


def _with_common(own: list[click.Parameter]) -> list[click.Parameter]:
    taken = {name for one in own for name in one.opts}
    return [*own, *(one for one in _common_options() if taken.isdisjoint(one.opts))]


class Command(click.RichCommand):
    """A command that parses to `Options` and takes every setting as an option."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        named["context_settings"] = _CONTEXT | named.get("context_settings", {})
        named.setdefault("epilog", SETTINGS_LINE)
        super().__init__(*arguments, **named)

    def get_params(self, ctx: Any) -> list[click.Parameter]:
        return _with_common(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """
        Parse ``args`` into ``ctx``; return what is left.

        Raises:
            UsageError: Click's, if they cannot be parsed.
        """
        left: list[str] = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            takes = any(one.name == _SETTING + "symbols" for one in self.params)
            advice = "; symbols are named with --symbols" if takes else ""
            raise click.UsageError(f"“{ctx.args[0]}” is one argument too many{advice}", ctx)
        return left

    def invoke(self, ctx: Context) -> Options:
        """Return what was typed, as `Options`."""
        return options_of(ctx, self.callback)


class Group(click.RichGroup):
    """A command with commands of its own, which help lists in the order they are declared in."""

    command_class = Command

    def __init__(self, *arguments: Any, **named: Any) -> None:
        named["context_settings"] = _CONTEXT | named.get("context_settings", {})
        named.setdefault("epilog", SETTINGS_LINE)
        named.setdefault("no_args_is_help", False)  # what lacks its command is wrong usage
        super().__init__(*arguments, **named)

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(self.commands)

    def get_params(self, ctx: Any) -> list[click.Parameter]:
        return _with_common(super().get_params(ctx))


def parsed(command: click.Command, arguments: Sequence[str]) -> Options:
    """
    Return what was typed after the program's name.

    Raises:
        UsageError: If it cannot be parsed.
        SystemExit: After --help and --version, with the exit code 0.
    """
    try:
        with command.make_context(command.name, list(arguments)) as ctx:
            options = command.invoke(ctx)
    except Exit as done:
        raise SystemExit(done.exit_code) from None
    except click.UsageError as error:
        raise UsageError(_sentence(error)) from error
    assert isinstance(options, Options)
    return options


def options_of(ctx: Context, prepare: Any = None) -> Options:
    """Return what was typed to ``ctx``'s command and, of settings, to the groups above it; the last of each counts."""
    settings: dict[str, str] = {}
    own: dict[str, Any] = {}
    for level in _levels(ctx):
        for name, value in level.params.items():
            if not name.startswith(_SETTING):
                own[name] = value
            elif value is not None:
                settings[name.removeprefix(_SETTING)] = value
    path = [level.info_name for level in _levels(ctx)][1:]
    return Options(command=" ".join(filter(None, path)) or None, prepare=prepare, settings=settings, **own)


def _sentence(error: click.UsageError) -> str:
    """Return one sentence for what cannot be parsed, and the command whose help tells more."""
    command = error.ctx.command_path if error.ctx is not None else "cryptopipe"
    return f"{_problem(error)} See {command} --help."


def _problem(error: click.UsageError) -> str:
    if isinstance(error, NoSuchCommand):
        return f"“{error.command_name}” is not a command{_meant(error.possibilities)}"
    if isinstance(error, NoSuchOption):
        return f"There is no option {error.option_name}{_meant(error.possibilities)}"
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        name = error.param.opts[0] if isinstance(error.param, click.Option) else error.param.make_metavar(error.ctx)
        return f"{name} is required."
    if isinstance(error, click.BadParameter) and error.param is not None and error.ctx is not None:
        name = error.param.opts[0] if isinstance(error.param, click.Option) else error.param.make_metavar(error.ctx)
        return f"{name} cannot be used: {error.message}"
    text = error.format_message().strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _meant(possibilities: Sequence[str] | None) -> str:
    return f": did you mean {possibilities[0]}?" if possibilities else "."


def _levels(ctx: Context) -> list[Context]:
    levels: list[Any] = []
    level: Any = ctx
    while level is not None:
        levels.insert(0, level)
        level = level.parent
    return levels


def _refuse_secret(ctx: Context, option: click.Parameter, value: str | None) -> None:
    """Refuse an option for a secret without repeating its value."""
    del ctx
    if value is None:
        return
    variable = next(one.variable for one in declarations() if one.option == option.opts[0])
    raise UsageError(f"{option.opts[0]} is no option, because other programs can read a command line: set {variable}.")


def _without_colours(ctx: Context, option: click.Parameter, value: bool) -> None:
    del ctx, option
    if value:
        os.environ["NO_COLOR"] = "1"  # what rich looks at, and a program that `db run` starts
