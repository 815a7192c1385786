"""
The database's password, the token of the server, and the credentials of brokers, in the system's keyring.

The keyring is read when a server wants a password that no other source has, and written when the user ticks
“remember”. It may be missing (a server without a desktop) or locked (the desktop then asks the user to unlock it), so
waiting for it is bounded. If it cannot be used, reading logs a line and returns nothing, and writing raises. The
package is imported inside functions, because that is slow.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from app.market.errors import SettingsError
from storage.postgres.database_url import name_of

logger = logging.getLogger(__name__)

SERVICE = "cryptopipe"
_PATIENCE_S = 60.0  # to type the keyring's own password

Result = TypeVar("Result")


class _Unavailable(Exception):
    """The keyring cannot be used; the text says why."""


def remembered(url: str) -> str:
    """
    Return the password kept for the user, server and database of ``url``; empty if there is none.

    Blocks while the user unlocks the keyring, for a minute at most: call it from a worker thread.
    """
    name = name_of(url)
    try:
        return _within_patience(lambda: _keyring().get_password(SERVICE, name)) or ""
    except _Unavailable as error:
        logger.info("the keyring has no password for %s: %s", name, error)
        return ""


def serve_token() -> str:
    """Return the token that is kept for the server, as by ``keyring set cryptopipe serve_token``; blocks likewise."""
    return kept("serve_token")


def kept(name: str) -> str:
    """
    Return what the user keeps under the name of a secret setting, as by ``keyring set cryptopipe oanda_api_key``.

    Empty if there is nothing. Blocks like `remembered`.
    """
    try:
        return _within_patience(lambda: _keyring().get_password(SERVICE, name)) or ""
    except _Unavailable as error:
        logger.info("the keyring has no %s: %s", name, error)
        return ""


def remember(url: str, password: str) -> None:
    """
    Keep the password for the user, server and database of ``url``. Blocks like `remembered`.

    Raises:
        SettingsError: If there is no keyring, or it refuses.
    """
    name = name_of(url)
    try:
        _within_patience(lambda: _keyring().set_password(SERVICE, name, password))
    except _Unavailable as error:
        raise SettingsError(
            f"The password could not be remembered, because {error}: set CRYPTOPIPE_DATABASE_PASSWORD or use ~/.pgpass."
        ) from error


def forget(url: str) -> None:
    """Remove the password kept for ``url``, if any; no keyring is no error. Blocks like `remembered`."""
    name = name_of(url)

    def remove() -> None:
        if _keyring().get_password(SERVICE, name) is not None:
            _keyring().delete_password(SERVICE, name)

    try:
        _within_patience(remove)
    except _Unavailable as error:
        logger.info("the keyring cannot forget the password for %s: %s", name, error)


def can_remember() -> bool:
    """Whether there is a keyring. Blocks for a moment."""
    try:
        return _within_patience(_keyring) is not None
    except _Unavailable:
        return False


def _keyring() -> Any:
    """Return the system's keyring as the package `keyring` finds it. Raises _Unavailable."""
    import keyring

    backend = keyring.get_keyring()
    if backend.priority < 1:  # none at all, or one that keeps secrets in a plain file
        raise _Unavailable("this system has no keyring")
    return backend


def _within_patience(work: Callable[[], Result]) -> Result:
    """Return the result of ``work``, run in its own thread; a thread that hangs is abandoned."""
    outcome: list[Result] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # noqa: BLE001  # because each system's keyring has errors of its own
            failure.append(error)

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    if outcome:
        return outcome[0]
    if not failure:
        raise _Unavailable("the keyring does not answer; unlock it")
    if isinstance(failure[0], _Unavailable):
        raise failure[0]
    # A backend's message may run over many lines; its kind says enough.
    raise _Unavailable(f"the keyring refuses ({type(failure[0]).__name__})") from failure[0]
