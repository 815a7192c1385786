"""Where a setting's value comes from, and what is said of one that cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.cli import program as cli
from app.config.settings import DEFAULT_SYMBOLS, SettingOrigin, Settings, as_variables, declarations, load
from app.market.errors import SettingsError

NO_FILE = Path("no-such-folder/config.toml")


def loaded(
    options: dict[str, Any] | None = None, environment: dict[str, str] | None = None, file: Path = NO_FILE
) -> Settings:
    return load(options, environment=environment or {}, file=file)


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def sentence_of(error: pytest.ExceptionInfo[SettingsError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text[0].isupper()
    assert text.endswith(".")
    return text


def test_each_source_wins_over_the_ones_before_it(tmp_path: Path) -> None:
    file = toml(tmp_path, 'batch_trades = 7\nbatch_seconds = 0.5\ntheme = "light"\nsymbols = ["adausdt"]\n')
    environment = {"CRYPTOPIPE_BATCH_SECONDS": "2.5", "CRYPTOPIPE_THEME": "dark", "PATH": "x"}
    settings = loaded({"theme": "light", "log_level": None}, environment, file)
    assert settings.queue_trades == 200_000
    assert settings.batch_trades == 7
    assert settings.batch_seconds == 2.5
    assert settings.theme == "light"
    assert settings.symbols == ("ADAUSDT",)


def test_without_any_source_the_defaults_hold() -> None:
    settings = loaded()
    assert settings.symbols == DEFAULT_SYMBOLS
    assert settings.batch_trades == 100
    assert settings.data_dir.is_absolute()
    assert settings.binance_ws_url == "wss://stream.binance.com:9443"


@pytest.mark.parametrize("text", ["BTCUSDT,ETHUSDT", " btcusdt , eth/usdt,", "BTCUSDT,ETHUSDT,btcusdt"])
def test_symbols_are_read_as_people_write_them(text: str) -> None:
    assert loaded({"symbols": text}).symbols == ("BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_trades", "many"),
        ("batch_trades", "0"),
        ("batch_trades", "1.5"),
        ("batch_seconds", "0"),
        ("batch_seconds", "nan"),
        ("batch_seconds", "inf"),
        ("spread_percent", "-1"),
        ("queue_trades", "999"),
        ("repair_trades", "-1"),
        ("stall_seconds", "0.5"),
        ("theme", "pink"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("interval", "5x"),
        ("interval", ""),
        ("symbols", " , "),
        ("dukascopy_tries", "1"),
        ("dukascopy_tries", "16"),
        ("keep_trades", "2"),
        ("keep_trades", "7d"),
        ("data_dir", ""),
        ("data_dir", "~no-such-user-anywhere/x"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_setting_and_its_source(name: str, value: str) -> None:
    variable = f"CRYPTOPIPE_{name.upper()}"
    with pytest.raises(SettingsError) as error:
        loaded(environment={variable: value})
    sentence = sentence_of(error)
    assert f"setting {name} " in sentence
    assert variable in sentence
    with pytest.raises(SettingsError) as error:
        loaded({name: value})
    assert "on the command line" in sentence_of(error)


@pytest.mark.parametrize(
    "text", ["batch_trades = [1]", "symbols = 5", "symbols = [1]", "theme = 3", "data_dir = 3", "interval = 5"]
)
def test_a_value_of_another_kind_in_the_file_names_the_file(tmp_path: Path, text: str) -> None:
    file = toml(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        loaded(file=file)
    assert str(file) in sentence_of(error)


def test_an_unknown_setting_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no setting “colour” in .*config\.toml: did you mean candle_colours\?"):
        loaded(file=toml(tmp_path, 'colour = "red"'))
    with pytest.raises(SettingsError, match="CRYPTOPIPE_COLOUR in the environment"):
        loaded(environment={"CRYPTOPIPE_COLOUR": "red"})


@pytest.mark.parametrize("text", ["batch_trades =", "= 3", 'a = "'])
def test_a_file_that_is_no_toml_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as error:
        loaded(file=toml(tmp_path, text))
    assert "Correct it or move it away." in sentence_of(error)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    for file in (path, tmp_path):
        with pytest.raises(SettingsError) as error:
            loaded(file=file)
        sentence_of(error)


def test_the_tests_own_variables_are_no_settings() -> None:
    loaded(environment={"CRYPTOPIPE_SHARED_DATA": "x", "CRYPTOPIPE_TEST_URL": "y"})


def test_a_password_comes_from_the_environment_and_is_shown_nowhere() -> None:
    settings = loaded({"database_url": "postgresql://me:t0psecret@h/d"}, {"CRYPTOPIPE_DATABASE_PASSWORD": "s3cret "})
    assert settings.database_password.text == "s3cret "  # a space may be a part of it
    for shown in (repr(settings), str(settings), f"{settings.database_password}", repr(settings.database_password)):
        assert "s3cret" not in shown
        assert "t0psecret" not in shown


def test_a_password_in_the_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    file = toml(tmp_path, 'database_password = "s3cret"')
    for environment in ({}, {"CRYPTOPIPE_DATABASE_PASSWORD": "other"}):
        with pytest.raises(SettingsError) as error:
            loaded(environment=environment, file=file)
        sentence = sentence_of(error)
        assert "set CRYPTOPIPE_DATABASE_PASSWORD" in sentence
        assert str(file) in sentence
        assert "s3cret" not in sentence


@pytest.mark.parametrize("typed", [["--database-password", "s3cret"], ["--database-password=s3cret"]])
def test_a_password_is_no_option_of_the_command_line(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (typed, ["collect", *typed]):
        assert cli.guarded(lambda options: 0, arguments) == cli.WRONG_USAGE
        assert capsys.readouterr().err == (
            "cryptopipe: --database-password is no option, because other programs can read a command line: set "
            "CRYPTOPIPE_DATABASE_PASSWORD.\n"
        )


def test_each_value_remembers_its_source(tmp_path: Path) -> None:
    file = toml(tmp_path, 'database_url = "postgresql://h/d"\ntheme = "light"')
    settings = loaded({"interval": "5m"}, {"CRYPTOPIPE_THEME": "dark"}, file)
    assert settings.origins == {
        "database_url": SettingOrigin.FILE,
        "theme": SettingOrigin.ENVIRONMENT,
        "interval": SettingOrigin.COMMAND_LINE,
    }
    plain = loaded({"interval": "5m", "database_url": "postgresql://h/d", "theme": "dark"})
    assert settings == plain  # the place is no part of it


def test_a_home_folder_is_spelled_out() -> None:
    assert loaded({"data_dir": "~/x"}).data_dir == Path.home() / "x"


def test_every_setting_has_a_sentence_a_metavar_a_variable_and_an_option_before_and_after_every_command() -> None:
    own = {"oanda_api_key": "OANDA_API_KEY", "oanda_account_id": "OANDA_ACCOUNT_ID"}
    for declared in declarations():
        assert declared.sentence.endswith("."), declared.name
        assert re.fullmatch(r"[A-Z]+|[a-z-]+(\|[a-z-]+)+", declared.metavar), declared.name
        assert declared.variable == own.get(declared.name, f"CRYPTOPIPE_{declared.name.upper()}")
        if declared.is_secret:
            continue
        for before, after in (([], ["gaps"]), (["gaps"], []), (["db"], ["status"]), (["db", "status"], [])):
            assert cli.parse([*before, declared.option, "1", *after]).settings == {declared.name: "1"}
            assert cli.parse([*before, f"{declared.option}=1", *after]).settings == {declared.name: "1"}
    assert {"data_dir", "database_url", "binance_ws_url", "binance_rest_url", "symbols", "log_level", "log_format"} <= {
        declared.name for declared in declarations()
    }


def test_the_token_and_account_of_oanda_come_without_our_prefix_and_from_the_environment_only(tmp_path: Path) -> None:
    settings = loaded(environment={"OANDA_API_KEY": "t0ken", "OANDA_ACCOUNT_ID": "101-1"})
    assert (settings.oanda_api_key.text, settings.oanda_account_id.text) == ("t0ken", "101-1")
    assert "t0ken" not in repr(settings)
    assert loaded(environment=as_variables(settings)) == settings  # as another process of this program has them
    with pytest.raises(SettingsError, match=r"oanda_api_key must not be in .* and set OANDA_API_KEY\.") as refused:
        loaded(file=toml(tmp_path, 'oanda_api_key = "t0ken"'))
    assert "t0ken" not in str(refused.value)


def test_the_last_value_given_of_a_setting_counts() -> None:
    typed = ["--data-dir", "a", "db", "--data-dir", "b", "status", "--data-dir", "c", "--data-dir", "d"]
    assert cli.parse(typed).settings == {"data_dir": "d"}
    assert cli.parse(typed[:6]).settings == {"data_dir": "b"}


def test_an_argument_is_not_taken_for_the_setting_of_its_name() -> None:
    options = cli.parse(["--interval", "4h", "export", "BTCUSDT", "5m", "--out", "a.csv"])
    assert options.settings == {"interval": "4h"}
    assert options.interval == "5m"


def test_a_proxy_is_checked_and_its_password_never_shown(tmp_path: Path) -> None:
    assert loaded().proxy == "system"
    settings = loaded(environment={"CRYPTOPIPE_PROXY": "socks5h://kim:s3cret@10.0.0.1"})
    assert settings.proxy == "socks5h://kim:s3cret@10.0.0.1"
    assert "s3cret" not in repr(settings)
    with pytest.raises(SettingsError, match=r"setting proxy in .*config\.toml cannot be used: “ftp://…@10") as caught:
        loaded(file=toml(tmp_path, 'proxy = "ftp://kim:s3cret@10.0.0.1"'))
    assert "s3cret" not in sentence_of(caught)
    with pytest.raises(SettingsError, match=r"no password on the command line.*set CRYPTOPIPE_PROXY\.$") as caught:
        loaded({"proxy": "http://kim:s3cret@10.0.0.1:3128"})
    assert "s3cret" not in sentence_of(caught)


def test_another_process_gets_the_same_settings_whatever_its_file_says(tmp_path: Path) -> None:
    other = toml(tmp_path, 'batch_trades = 7\ntheme = "light"\ndatabase_url = "postgresql://elsewhere/x"\n')
    environment = {"CRYPTOPIPE_DATABASE_PASSWORD": " s3cret ", "CRYPTOPIPE_PROXY": "socks5h://me:pw@proxy:1080"}
    given = {"data_dir": str(tmp_path / "ü data"), "symbols": "adausdt,BTC/USDT", "archive_keep": "true"}
    for settings in (loaded(), loaded({**given, "batch_seconds": "0.25"}, environment)):
        assert loaded(environment=as_variables(settings), file=other) == settings
