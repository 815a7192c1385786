"""
``cryptopipe collect`` as a process of its own that can be killed, started as quickly as can be.

A fork server has loaded the program once and forks for each start; a new interpreter would take a second of the
machine's time, for each of a hundred starts.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from app.main import main


def fork_server() -> ForkServerContext:
    """Return the server; it is started with the first process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.program", "app.commands.collect"])
    return context


def collecting(context: ForkServerContext, settings: Mapping[str, str], said: Path) -> ForkServerProcess:
    """Start ``cryptopipe collect`` with these settings; what it says goes to the file ``said``."""
    process = context.Process(target=_collect, args=(dict(settings), str(said)), daemon=True)
    process.start()
    return process


def _collect(settings: Mapping[str, str], said: str) -> None:
    for name in [name for name in os.environ if name.startswith("CRYPTOPIPE_")]:
        del os.environ[name]
    os.environ.update({f"CRYPTOPIPE_{name.upper()}": value for name, value in settings.items()})
    os.environ["XDG_CONFIG_HOME"] = said + ".config"
    with open(said, "a", buffering=1) as file:
        sys.stdout = sys.stderr = file
        code = main(["collect"])
        file.flush()
        os._exit(code)
