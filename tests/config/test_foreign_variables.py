"""The variables of other recorders: what they mean here, and that all of ours win over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.foreign_variables import FOREIGN_VARIABLES, foreign_values, not_understood
from app.config.settings import SettingOrigin, declarations, load
from app.market.errors import SettingsError

NO_FILE = Path("no-such-folder/config.toml")
FIELD = {
    "DATABASE_URL": "postgresql://me@db.example/market?schema=public",
    "DB_POOL_MAX": "20",
    "DB_TIMEOUT": "5000",
    "BINANCE_WS_URL": "wss://stream.binance.com:9443/ws",
    "BINANCE_SYMBOLS": "btcusdt, ETH/USDT",
    "BATCH_SIZE": "250",
    "BATCH_TIMEOUT": "1500",
    "MAX_RECONNECT_ATTEMPTS": "10",
    "LOG_LEVEL": "WARN",
    "LOG_FORMAT": "json",
}


def test_a_whole_set_up_is_understood() -> None:
    assert FIELD.keys() == FOREIGN_VARIABLES.keys()
    settings = load({}, environment=FIELD, file=NO_FILE)
    assert settings.database_url == FIELD["DATABASE_URL"]
    assert (settings.database_connections, settings.database_timeout_seconds) == (20, 5.0)
    assert settings.binance_ws_url == FIELD["BINANCE_WS_URL"]
    assert settings.symbols == ("BTCUSDT", "ETHUSDT")
    assert (settings.batch_trades, settings.batch_seconds) == (250, 1.5)
    assert settings.reconnect_attempts == 10
    assert (settings.log_level, settings.log_format) == ("warning", "json")
    assert set(settings.origins.values()) == {SettingOrigin.FOREIGN}
    assert not_understood(FIELD) == []


def test_each_belongs_to_a_setting_of_its_own() -> None:
    settings = [setting for setting, _ in FOREIGN_VARIABLES.values()]
    assert len(set(settings)) == len(settings)
    assert set(settings) <= {declared.name for declared in declarations()}


def test_all_of_ours_win(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("batch_trades = 7", encoding="utf-8")
    environment = FIELD | {"CRYPTOPIPE_LOG_LEVEL": "error"}
    settings = load({"log_format": "plain"}, environment=environment, file=file)
    assert (settings.batch_trades, settings.log_level, settings.log_format) == (7, "error", "plain")
    assert settings.batch_seconds == 1.5
    assert settings.origins["batch_trades"] is SettingOrigin.FILE


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("BATCH_TIMEOUT", "1000", 1.0),
        ("BATCH_TIMEOUT", "50", 0.05),
        ("BATCH_TIMEOUT", "5", 5.0),  # nobody stores batches every 5 ms
        ("BATCH_TIMEOUT", "0.5", 0.5),
        ("DB_TIMEOUT", "30000", 30.0),
        ("DB_TIMEOUT", "30", 30.0),
        ("MAX_RECONNECT_ATTEMPTS", "Infinity", 0),
        ("MAX_RECONNECT_ATTEMPTS", "-1", 0),
        ("MAX_RECONNECT_ATTEMPTS", "0", 0),
        ("LOG_LEVEL", "trace", "debug"),
        ("LOG_LEVEL", "Fatal", "error"),
        ("LOG_FORMAT", "pretty", "plain"),
        ("DATABASE_URL", "postgres://h/d", "postgresql://h/d"),
        ("DATABASE_URL", "postgresql+asyncpg://h/d", "postgresql://h/d"),
        ("BINANCE_SYMBOLS", '["btcusdt", "ethusdt"]', ["btcusdt", "ethusdt"]),
        ("BINANCE_SYMBOLS", "BTCUSDT ETHUSDT", ["BTCUSDT", "ETHUSDT"]),
    ],
)
def test_values_are_read_as_they_are_written_there(variable: str, text: str, value: object) -> None:
    (found,) = foreign_values({variable: text}).values()
    assert (found.variable, found.value) == (variable, value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DATABASE_URL", "mysql://h/d"),
        ("DATABASE_URL", "sqlite:///x.db"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("BATCH_SIZE", "many"),
        ("BATCH_TIMEOUT", "nan"),
        ("BATCH_TIMEOUT", "-5"),
        ("DB_POOL_MAX", "0"),
        ("BINANCE_WS_URL", "https://example"),
        ("BINANCE_SYMBOLS", ","),
    ],
)
def test_what_is_meant_for_another_program_changes_nothing(variable: str, text: str) -> None:
    assert load({}, environment={variable: text}, file=NO_FILE).origins == {}
    assert not_understood({variable: text}) == [variable]
    assert not_understood({variable: ""}) == []


@pytest.mark.parametrize(("variable", "text"), [("DB_POOL_MAX", "1"), ("BINANCE_SYMBOLS", "kraken:EUR_USD")])
def test_a_value_that_ours_could_not_have_is_passed_over_and_not_refused(variable: str, text: str) -> None:
    assert load({}, environment={variable: text}, file=NO_FILE).origins == {}


def test_a_wrong_value_of_ours_is_still_refused() -> None:
    with pytest.raises(SettingsError):
        load({}, environment=FIELD | {"CRYPTOPIPE_BATCH_TRADES": "many"}, file=NO_FILE)
