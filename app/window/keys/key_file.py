"""
The keys that the user changed, in a file: keys.json in the data directory, and those the user exports.

A JSON object: ``version`` is 1, ``keys`` has the keys of each changed command as texts. What this version does not
know, other fields and other commands, stays in the file as it is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from widgets.keys import current_keys, same_key

logger = logging.getLogger(__name__)

VERSION = 1
_DAMAGED = "keys.damaged.json"


@dataclass(slots=True)
class KeyFile:
    """
    What a file says: ``changes``, for `KeyMap.restore`.

    ``others`` and ``fields`` are commands and fields that this version does not know, to be written as they were read.
    ``trouble`` is one sentence where it, or a part of it, could not be read.
    """

    changes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""


def read_keys(path: Path) -> KeyFile | None:
    """Return what a file of keys says; None if there is none. Of one that cannot be read, only ``trouble``."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s was ignored: %s", path, error)
        return KeyFile(trouble=f"{path.name} could not be read, so the usual keys are in force.")
    keys = stored.pop("keys", {})
    read = KeyFile(fields=stored)
    bad = 0
    for command, texts in keys.items() if isinstance(keys, dict) else ():
        if not _is_command(command):
            read.others[command] = texts
        elif _are_keys(texts):
            read.changes[command] = tuple(map(same_key, texts))
        else:
            bad += 1
    if not isinstance(keys, dict):
        read.trouble = f"{path.name} holds no keys, so the usual ones are in force."
    elif bad:
        commands = "one command" if bad == 1 else f"{bad} commands"
        read.trouble = f"The keys of {commands} in {path.name} could not be read: the usual ones are in force there."
    return read


def keep_damaged(path: Path) -> None:
    """Copy a file that could not be read whole, before the next save replaces it."""
    with contextlib.suppress(OSError):
        shutil.copyfile(path, path.with_name(_DAMAGED))


def write_keys(path: Path, file: KeyFile) -> None:
    """
    Write a file of keys, by renaming a complete one: a crash leaves the old one or the new one.

    Raises:
        OSError: If it cannot be written.
    """
    keys = {**file.others, **{command: list(texts) for command, texts in file.changes.items()}}
    stored = {"version": VERSION, **file.fields, "keys": keys}
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(stored)))
    os.replace(temporary, path)


def _is_command(command: str) -> bool:
    try:
        current_keys.usual_of(command)
    except KeyError:
        return False
    return True


def _are_keys(texts: Any) -> bool:
    return isinstance(texts, list) and all(isinstance(text, str) and same_key(text) for text in texts)
