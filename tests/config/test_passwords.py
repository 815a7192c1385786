"""Requests to the keyring, and keyrings that are missing, locked or silent."""

from __future__ import annotations

import logging

import keyring.backends.fail
import pytest

from app.config import passwords
from app.market.errors import SettingsError
from tests.keyrings import HangingKeyring, LockedKeyring, MemoryKeyring, PlainFileKeyring, using

URL = "postgresql://me@db.example/trades?sslmode=require"


def test_a_password_is_kept_for_user_server_and_database_and_forgotten_again() -> None:
    with using(MemoryKeyring()) as ring:
        assert passwords.can_remember()
        assert passwords.remembered(URL) == ""
        passwords.remember(URL, "s3cret")
        assert ring.kept == {("cryptopipe", "me@db.example:5432/trades"): "s3cret"}
        assert passwords.remembered("host=db.example user=me dbname=trades sslmode=disable") == "s3cret"
        assert passwords.remembered(URL.replace("me@", "you@")) == ""
        passwords.forget(URL)
        passwords.forget(URL)
        assert ring.kept == {}


@pytest.mark.parametrize("ring", [keyring.backends.fail.Keyring(), PlainFileKeyring()])
def test_without_a_keyring_nothing_is_known_and_remembering_says_what_to_do(ring: MemoryKeyring) -> None:
    with using(ring):
        assert not passwords.can_remember()
        assert passwords.remembered(URL) == ""
        passwords.forget(URL)
        with pytest.raises(SettingsError) as caught:
            passwords.remember(URL, "s3cret")
    assert str(caught.value) == (
        "The password could not be remembered, because this system has no keyring: set CRYPTOPIPE_DATABASE_PASSWORD or "
        "use ~/.pgpass."
    )


def test_a_locked_keyring_is_reported_without_its_own_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), using(LockedKeyring()):
        assert passwords.remembered(URL) == ""
        with pytest.raises(SettingsError, match=r"the keyring refuses \(KeyringLocked\)") as caught:
            passwords.remember(URL, "s3cret")
    assert "s3cret" not in caplog.text + str(caught.value)
    assert "me@db.example:5432/trades" in caplog.text


def test_waiting_for_a_silent_keyring_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_PATIENCE_S", 0.05)
    ring = HangingKeyring()
    with using(ring):
        assert passwords.remembered(URL) == ""
    ring.released.set()
