"""
``cryptopipe collect`` as a process of its own that can be killed, started as quickly as can be.

A fork server has loaded the program once and forks for each start; a new interpreter would take a second of the
machine's time, for each of a hundred starts.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from app.main import main


def fork_server() -> ForkServerContext:
    """Return the server; it is started with the first process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.program", "app.commands.collect"])
    return context


def collecting(
    context: ForkServerContext,
    settings: Mapping[str, str],
    said: Path,
    *,
    arguments: Sequence[str] = ("collect",),
    environment: Mapping[str, str] | None = None,
) -> ForkServerProcess:
    """
    Start ``cryptopipe collect`` with these settings; what it says goes to the file ``said``.

    ``arguments`` name another command; ``environment`` holds more variables, such as credentials.
    """
    values = (dict(settings), str(said), list(arguments), dict(environment or {}))
    process = context.Process(target=_run, args=values, daemon=True)
    process.start()
    return process


def _run(settings: Mapping[str, str], said: str, arguments: list[str], environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    for name in [name for name in os.environ if name.startswith("CRYPTOPIPE_")]:
        del os.environ[name]
    os.environ.update({f"CRYPTOPIPE_{name.upper()}": value for name, value in settings.items()})
    os.environ["XDG_CONFIG_HOME"] = said + ".config"
    with open(said, "a", buffering=1) as file:
        sys.stdout = sys.stderr = file
        code = main(arguments)
        file.flush()
        os._exit(code)
