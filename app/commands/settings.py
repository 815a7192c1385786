"""
``cryptopipe settings …``: shows what each setting is and where its value comes from, and writes config.toml.

Secrets are never printed. What is written is checked first, by the sentences that a start would refuse it with.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from typing import Any

from app.brokers.proxy import without_password
from app.commands.options import Run
from app.commands.styling import print_styled
from app.config.config_file import write_setting
from app.config.foreign_variables import foreign_values
from app.config.settings import (
    Declaration,
    Secret,
    SettingOrigin,
    Settings,
    config_file,
    converted,
    declarations,
    no_setting,
)
from app.market.errors import SettingsError, StoreError
from app.runtime.exchange_addresses import check_addresses
from storage.postgres.database_url import holds_secret, without_secrets

DEFAULT = "default"
"""As a value: takes the setting out of config.toml."""


def prepare_list(settings: Settings, *, as_json: bool) -> Run:
    """Return the function that lists all settings."""
    return partial(_list, settings, as_json=as_json)


def prepare_get(settings: Settings, name: str, *, as_json: bool) -> Run:
    """
    Return the function that prints one setting's value.

    Raises:
        SettingsError: If there is no such setting.
    """
    return partial(_get, settings, _declared(name), as_json=as_json)


def prepare_set(name: str, text: str, *, as_json: bool) -> Run:
    """
    Return the function that writes one setting into config.toml; `DEFAULT` takes it out there.

    Raises:
        SettingsError: If there is no such setting, the value is invalid, or it holds a password. Nothing was written.
    """
    declared = _declared(name)
    if declared.is_secret:
        raise SettingsError(f"The setting {declared.name} is not kept in a file: set {declared.variable}.")
    value = None if text == DEFAULT else _checked(declared.name, text)
    return partial(_set, declared, value, as_json=as_json)


def _list(settings: Settings, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps([_as_json(settings, one) for one in declarations()], ensure_ascii=False, indent=2))
        return 0
    for declared in declarations():
        origin = _origin(settings, declared.name)
        place = ("   default", "dim") if origin == DEFAULT else (f"   from {origin}", "yellow")
        print_styled((declared.name, "bold"), " = ", (_shown(settings, declared.name) or "none", "cyan"), place)
        print_styled((f"    {declared.sentence}", "dim"))
    print_styled(f"\nThe file: {config_file()}")
    return 0


def _get(settings: Settings, declared: Declaration, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(_as_json(settings, declared), ensure_ascii=False, indent=2))
    else:
        print(_shown(settings, declared.name))
    return 0


def _set(declared: Declaration, value: Any, *, as_json: bool) -> int:
    file = config_file()
    write_setting(file, declared.name, value)
    overruled = os.environ.get(declared.variable) is not None
    if as_json:
        written = {"name": declared.name, "value": value, "file": str(file), "overruled": overruled}
        print(json.dumps(written, ensure_ascii=False, indent=2))
        return 0
    shown = ",".join(value) if isinstance(value, list) else value
    print(
        f"{declared.name} is not in {file} any more." if value is None else f"{declared.name} = {shown} is in {file}."
    )
    if overruled:
        print(f"{declared.variable} in the environment wins over it.")
    return 0


def _declared(name: str) -> Declaration:
    """Return the setting of that name, which may also be written as its option or its variable."""
    key = name.strip().lower().removeprefix("--").replace("-", "_").removeprefix("cryptopipe_")
    for declared in declarations():
        if declared.name == key:
            return declared
    raise no_setting(name)


def _checked(name: str, text: str) -> Any:
    """Return the value as config.toml has it. Raises SettingsError if a start would refuse it, or if it is a secret."""
    # From the command line, which others can read: so a proxy's password is refused.
    value = converted(name, text, SettingOrigin.COMMAND_LINE)
    if name == "database_url" and value:
        try:
            has_password = holds_secret(value)
        except StoreError as error:
            raise SettingsError(str(error)) from error
        if has_password:
            raise SettingsError(
                "The setting database_url must hold no password in a file: leave it out, and set "
                "CRYPTOPIPE_DATABASE_PASSWORD or let the window's database settings remember it."
            )
    check_addresses(replace(Settings(), **{name: value}))
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (int, float)) else str(value)


def _as_json(settings: Settings, declared: Declaration) -> dict[str, Any]:
    value = getattr(settings, declared.name)
    if isinstance(value, tuple):
        value = list(value)
    elif not isinstance(value, (int, float)):
        value = _shown(settings, declared.name)
    return {
        "name": declared.name,
        "value": value,
        "origin": _origin(settings, declared.name),
        "variable": declared.variable,
        "sentence": declared.sentence,
    }


def _origin(settings: Settings, name: str) -> str:
    """Return where the value comes from, in words."""
    origin = settings.origins.get(name)
    if origin is None:
        return DEFAULT
    if origin is SettingOrigin.FOREIGN:
        return f"{foreign_values(os.environ)[name].variable} in the environment"
    if origin is SettingOrigin.ENVIRONMENT:
        return f"CRYPTOPIPE_{name.upper()} in the environment"
    return str(origin.value)


def _shown(settings: Settings, name: str) -> str:
    """Return the value as it is typed, without passwords."""
    value = getattr(settings, name)
    if isinstance(value, Secret):
        return f"{value}"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if name == "proxy":
        return without_password(str(value))
    if name == "database_url" and value:
        try:
            return without_secrets(str(value))
        except StoreError:
            return "…"  # unreadable, so any part of it may be a password
    return str(value)
