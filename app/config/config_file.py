"""Writes one setting into the user's config.toml and keeps the rest: comments, order and layout."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from app.market.errors import SettingsError


def write_setting(file: Path, name: str, value: str | float | list[str] | None) -> None:
    """
    Set ``name`` in the file, which is created if missing; None removes it.

    The file is replaced by a rename, so a crash leaves the old one or the new one.

    Raises:
        SettingsError: If the file cannot be read or written. It is unchanged.
    """
    # Follow a link, or the rename would replace it: people link their settings from a repository.
    target = Path(os.path.realpath(file))
    try:
        document = tomlkit.parse(target.read_text(encoding="utf-8")) if target.exists() else tomlkit.document()
        if document.get(name) == value:
            return
        if value is None:
            document.remove(name)
        else:
            document[name] = value
        _replace(target, tomlkit.dumps(document))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise SettingsError(
            f"The choice could not be kept in {file} ({error}), so the next start uses what stands there."
        ) from error


def _replace(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.part")
    try:
        # Never readable by more people than the file it replaces, which may hold a password.
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
