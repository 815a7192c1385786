"""Where the password of the settings' database comes from, and what is said of one that others can read."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli import program as cli
from app.commands.doctor import examine
from app.config import passwords
from app.config.settings import Settings, load
from app.market.errors import StoreUnavailable
from app.runtime.open_database import open_database, password_warning
from tests.keyrings import MemoryKeyring, using
from tests.program import NOWHERE
from tests.storage.helpers import some_trades
from tests.storage.listening import listening, make_guarded_user

PASSWORD = "s3" + "cret"  # so that no line of this file holds it


@pytest.fixture(scope="module")
def server_url(reachable_folder: Path) -> Iterator[str]:
    """A server whose user guarded needs a password; a URL without it."""
    with listening(reachable_folder / "guarded", rules="host all guarded 127.0.0.1/32 scram-sha-256\n") as port:
        make_guarded_user(port)
        yield f"postgresql://guarded@127.0.0.1:{port}/postgres?options=-csearch_path%3Dguarded"


def settings_of(tmp_path: Path, options: dict[str, Any], environment: dict[str, str] | None = None) -> Settings:
    return load({"data_dir": str(tmp_path), **options}, environment=environment or {}, file=tmp_path / "config.toml")


@pytest.mark.parametrize("way", ["setting", "url", "keyring", "libpq"])
def test_a_password_is_found_wherever_it_is_kept_and_again_after_the_connection_broke(
    way: str, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url, environment, ring = server_url, {}, MemoryKeyring()
    if way == "setting":
        environment["CRYPTOPIPE_DATABASE_PASSWORD"] = PASSWORD
    elif way == "url":
        url = url.replace("guarded@", f"guarded:{PASSWORD}@")
    elif way == "libpq":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with using(ring), caplog.at_level(logging.DEBUG):
        if way == "keyring":
            passwords.remember(url, PASSWORD)
        settings = settings_of(tmp_path, {"database_url": url}, environment)
        database = open_database(settings)
        try:
            ring.kept.clear()  # asked once
            assert database.writer.put(some_trades(3))
            assert database.writer.drain(20)
            assert database.store.coverage("BTCUSDT").count() == 3
        finally:
            assert database.close()
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(settings)


def test_a_password_that_no_source_has_is_one_sentence(server_url: str, tmp_path: Path) -> None:
    with using(MemoryKeyring()), pytest.raises(StoreUnavailable, match="it wants a password; set CRYPTOPIPE_"):
        open_database(settings_of(tmp_path, {"database_url": server_url}))


def test_a_wrong_password_is_repeated_nowhere(
    server_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "wr" + "0ng"
    settings = settings_of(tmp_path, {"database_url": server_url}, {"CRYPTOPIPE_DATABASE_PASSWORD": wrong})
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnavailable, match="refused the user name") as caught:
        open_database(settings)
    assert wrong not in "".join(traceback.format_exception(caught.value)) + caplog.text


def warning_of(tmp_path: Path, options: dict[str, Any], environment: dict[str, str] | None = None) -> str:
    warning = password_warning(settings_of(tmp_path, options, environment))
    assert PASSWORD not in warning
    return warning


def test_a_password_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1/x"
    assert "stands in --database-url, which other programs" in warning_of(tmp_path, {"database_url": url})
    assert warning_of(tmp_path, {"database_url": "postgresql://me@127.0.0.1/x"}) == ""
    assert warning_of(tmp_path, {"database_url": "no url"}) == ""
    assert warning_of(tmp_path, {}, {"CRYPTOPIPE_DATABASE_URL": url}) == ""
    (tmp_path / "config.toml").write_text(f'database_url = "{url}"', encoding="utf-8")
    assert "stands in config.toml, in plain text" in warning_of(tmp_path, {})


def test_the_warning_is_logged_and_doctor_repeats_it_and_standard_error_stays_empty(
    server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server_url.replace("guarded@", f"guarded:{PASSWORD}@")
    (tmp_path / "config.toml").write_text(f'database_url = "{url}"', encoding="utf-8")
    addresses = {"binance_ws_url": f"ws://{NOWHERE}", "binance_rest_url": f"http://{NOWHERE}"}
    (found,) = [one for one in examine(settings_of(tmp_path, addresses)) if one.name == "database"]
    assert found.level == "warning"
    assert "stands in config.toml" in found.sentence
    assert PASSWORD not in found.sentence
    monkeypatch.setenv("CRYPTOPIPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    reported = ["db", "status", "--json", "--database-url", url]
    assert cli.guarded(cli.run_command, reported) == cli.DONE
    assert capsys.readouterr().err == ""
    log = (tmp_path / "data" / "logs" / "cryptopipe.log").read_text(encoding="utf-8")
    assert log.count("stands in --database-url") == 1
    assert PASSWORD not in log
