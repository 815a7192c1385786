"""``cryptopipe settings``: what is listed, where it comes from, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.config.foreign_variables import FOREIGN_VARIABLES
from app.config.settings import config_file, declarations
from app.main import main
from tests.program import set_surroundings, unchanged_process


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def said(surroundings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return ``said(*arguments, code=0)``: what the command prints; of a refused one, its sentence."""

    def run(*arguments: str, code: int = 0) -> str:
        with unchanged_process():
            assert main(["settings", *arguments]) == code
        told = capsys.readouterr()
        assert (told.out if code else told.err) == ""
        return told.err.removeprefix("cryptopipe: ").strip() if code else told.out

    return run


def test_every_setting_is_listed_with_its_value_its_origin_and_its_sentence(
    said: Callable[..., str], surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    surroundings.setenv("BATCH_SIZE", "250")
    said("set", "theme", "dark")
    surroundings.setenv("CRYPTOPIPE_INTERVAL", "4h")
    text = said("list", "--log-level", "error")
    for declared in declarations():
        assert f"{declared.name} = " in text
        assert f"    {declared.sentence}\n" in text
    lines = text.splitlines()
    assert "theme = dark   from config.toml" in lines
    assert "interval = 4h   from CRYPTOPIPE_INTERVAL in the environment" in lines
    assert "batch_trades = 250   from BATCH_SIZE in the environment" in lines
    assert "log_level = error   from command line" in lines
    assert "metrics_port = 0   default" in lines
    assert lines[-1] == f"The file: {config_file()}"
    assert not (tmp_path / "data").exists()
    document = {one["name"]: one for one in json.loads(said("list", "--json"))}
    assert document.keys() == {declared.name for declared in declarations()}
    assert document["batch_trades"] == {
        "name": "batch_trades",
        "value": 250,
        "origin": "BATCH_SIZE in the environment",
        "variable": "CRYPTOPIPE_BATCH_TRADES",
        "sentence": "Trades that make a batch for the database.",
    }


def test_no_password_is_printed(said: Callable[..., str], surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("CRYPTOPIPE_DATABASE_URL", "postgresql://me:s3cret@h/d?sslpassword=s3cret")
    surroundings.setenv("CRYPTOPIPE_DATABASE_PASSWORD", "s3cret")
    surroundings.setenv("CRYPTOPIPE_PROXY", "http://me:s3cret@proxy:8080")
    for arguments in (["list"], ["list", "--json"], ["get", "database_url"], ["get", "proxy"]):
        assert "s3cret" not in said(*arguments)
    assert said("get", "database_url") == "postgresql://me@h/d\n"
    assert said("get", "database_password") == "…\n"


@pytest.mark.parametrize("name", ["batch_trades", "batch-trades", "--batch-trades", "CRYPTOPIPE_BATCH_TRADES"])
def test_a_setting_goes_by_its_name_its_option_or_its_variable(said: Callable[..., str], name: str) -> None:
    assert said("get", "--", name) == "100\n"


def test_what_is_set_is_in_force_and_the_rest_of_the_file_stays(said: Callable[..., str]) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_text('# mine\ntheme = "light"  # brighter\n', encoding="utf-8")
    assert said("set", "symbols", "btc-usdt,ETH/USDT") == f"symbols = BTCUSDT,ETHUSDT is in {config_file()}.\n"
    said("set", "batch_seconds", "0.5")
    said("set", "batch_trades", "500")
    assert config_file().read_text(encoding="utf-8") == (
        '# mine\ntheme = "light"  # brighter\n'
        'symbols = ["BTCUSDT", "ETHUSDT"]\nbatch_seconds = 0.5\nbatch_trades = 500\n'
    )
    assert said("get", "symbols") == "BTCUSDT,ETHUSDT\n"
    assert said("set", "symbols", "default") == f"symbols is not in {config_file()} any more.\n"
    assert said("get", "batch_seconds") == "0.5\n"
    assert json.loads(said("set", "theme", "dark", "--json")) == {
        "name": "theme",
        "value": "dark",
        "file": str(config_file()),
        "overruled": False,
    }


def test_a_setting_that_the_environment_overrules_says_so(
    said: Callable[..., str], surroundings: pytest.MonkeyPatch
) -> None:
    surroundings.setenv("CRYPTOPIPE_THEME", "light")
    assert said("set", "theme", "dark").endswith("CRYPTOPIPE_THEME in the environment wins over it.\n")


def test_a_wrong_line_of_the_file_can_be_corrected(said: Callable[..., str]) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_text("batch_trades = 0\n", encoding="utf-8")
    assert "at least 1" in said("list", code=2)
    said("set", "batch_trades", "50")
    assert said("get", "batch_trades") == "50\n"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("batch_trades", "0", "The setting batch_trades cannot be 0: it must be at least 1."),
        ("theme", "pink", "The setting theme cannot be “pink”:"),
        ("interval", "5min", "did you mean 5m?"),
        ("them", "dark", "There is no setting “them”: did you mean theme?"),
        ("symbols", ",", "The setting symbols names none"),
        ("symbols", "kraken:EUR_USD", "names no broker that is known"),
        ("binance_ws_url", "https://x", "is no address of the exchange"),
        ("database_url", "postgresql://me:s3cret@h/d", "must hold no password in a file"),
        ("database_url", "nonsense", "The database URL cannot be read"),
        ("database_password", "s3cret", "The setting database_password is not kept in a file"),
        ("proxy", "http://me:s3cret@h", "must hold no password"),
    ],
)
def test_what_a_start_would_refuse_is_refused_in_one_sentence_and_not_written(
    said: Callable[..., str], name: str, value: str, sentence: str
) -> None:
    told = said("set", name, value, code=2)
    assert sentence in told
    assert told.endswith(".")
    assert "\n" not in told
    assert "s3cret" not in told
    assert not config_file().exists()
