"""Commands about the program: the sandbox, the check of the installation, settings and completion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import rich_click as click

from app.cli.commands.root import JSON, PROGRAM, Declared, cryptopipe, symbols_setting
from app.cli.completion import (
    SHELLS,
    setting_names,
    setting_values,
)
from app.cli.parsing import FurtherFiles
from app.commands.options import Options, Run
from app.config.settings import Settings
from app.market.errors import UsageError


def _recording(name: str, metavar: str, sentence: str, *, multiple: bool = False) -> Callable[[Declared], Declared]:
    """Return the decorator for an option of the sandbox that names recordings to serve."""
    return click.option(
        name,
        multiple=multiple,
        metavar=metavar,
        type=click.Path(path_type=Path),
        panel="Recording",
        help=sentence,
    )


@cryptopipe.command("sandbox", panel=PROGRAM)
@click.option("--port", type=int, default=9443, metavar="PORT", help="Port on 127.0.0.1 (9443); 0 picks a free one.")
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input ends.")
@click.option("--seed", type=int, default=1, metavar="N", panel="Simulated market", help="The market's seed (1).")
@click.option(
    "--rate", type=float, metavar="N", panel="Simulated market", help="Trades per second, all symbols together."
)
@click.option(
    "--history", default="90d", metavar="TIME", panel="Simulated market", help="Depth of the past: 90d, 52w (90d)."
)
@_recording("--replay", "FILE…", "Recordings to serve instead of the simulation.", multiple=True)
@click.option(
    "--speed", default="1", metavar="PACE", panel="Recording", help="Pace of a recording: 1, 10 … or max (1)."
)
@_recording("--oanda-replay", "FILE", "Recorded days of OANDA's prices to replay.", multiple=True)
@_recording("--dukascopy-folder", "FOLDER", "Folder with Dukascopy's recordings: datafeed, json.")
@click.argument("more_recordings", nargs=-1, type=click.Path(path_type=Path), cls=FurtherFiles)
def sandbox(settings: Settings, options: Options) -> Run:
    """Serve simulated or recorded markets on this machine, in the protocol of each broker."""
    del settings
    from app.commands import sandbox

    if options.more_recordings and not options.replay:
        raise UsageError(f"“{options.more_recordings[0]}” is one argument too many: name recordings with --replay.")
    options.replay = [*options.replay, *options.more_recordings]
    return sandbox.prepare(options)


@cryptopipe.command("doctor", panel=PROGRAM)
@symbols_setting("Symbols to ask the exchange for: BTCUSDT,…")
@JSON
def doctor(settings: Settings, options: Options) -> Run:
    """Check database, exchange, clock, disk and versions, and say what to do."""
    from functools import partial

    from app.commands import doctor

    return partial(doctor.report, settings, as_json=options.as_json)


@cryptopipe.group("settings", panel=PROGRAM)
def settings_group(**_: object) -> None:
    """Show and change the settings, and where each value comes from."""


@settings_group.command("list")
@JSON
def list_settings(settings: Settings, options: Options) -> Run:
    """List every setting with its value, where that comes from, and what it is for."""
    from app.commands import settings as command

    return command.prepare_list(settings, as_json=options.as_json)


@settings_group.command("get")
@click.argument("name", metavar="NAME", shell_complete=setting_names)
@JSON
def get_setting(settings: Settings, options: Options) -> Run:
    """Print one setting's value."""
    from app.commands import settings as command

    return command.prepare_get(settings, options.name, as_json=options.as_json)


@settings_group.command("set")
@click.argument("name", metavar="NAME", shell_complete=setting_names)
@click.argument("value", metavar="VALUE", shell_complete=setting_values)
@JSON
def set_setting(settings: Settings, options: Options) -> Run:
    """Write one setting into config.toml, or take it out there: set NAME default."""
    del settings
    from app.commands import settings as command

    return command.prepare_set(options.name, options.value, as_json=options.as_json)


@cryptopipe.command("completion", panel=PROGRAM)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(SHELLS))
def completion(settings: Settings, options: Options) -> Run:
    """Print the shell's script that completes commands, options, symbols and intervals."""
    del settings
    from app.cli import completion

    return completion.prepare(cryptopipe, options.shell)
