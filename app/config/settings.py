"""
Every setting, declared once: type, default and a sentence.

Sources in rising order of precedence: the default, the variables of other recorders
(`app.config.foreign_variables`), ``config.toml`` in the user's configuration directory, the environment
(``CRYPTOPIPE_`` and the name in capitals, or the variable that the setting declares), the command line
(``--name-with-dashes``). An invalid value raises `SettingsError` with one sentence that names its source. Secrets come
from the environment only: a file outlives the run, and every program on the machine can read a command line.
`app.config.config_file` writes the file.
"""

from __future__ import annotations

import contextlib
import math
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import platformdirs

from app.brokers.proxy import check_proxy
from app.config.foreign_variables import foreign_values
from app.market.errors import SettingsError, UsageError
from app.market.interval import Interval
from app.market.suggestions import nearest
from app.market.symbol import read_calendars, read_symbol
from storage.lake.address import check_endpoint, parse_address
from storage.schema.retention_period import proposal

ENVIRONMENT_PREFIX = "CRYPTOPIPE_"
_TEST_VARIABLES = ("CRYPTOPIPE_TEST_", "CRYPTOPIPE_SHARED_DATA")  # read by the tests alone, so no settings
DEFAULT_INTERVAL = "1m"
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT", "XRPUSDT")

# Parsers that refuse an unusable text; the text is parsed again where it is used.
_TEXT_CHECKS: Mapping[str, Callable[[str], object]] = {
    "calendars": read_calendars,
    "interval": Interval.parse,
    "keep_trades": proposal,
    "lake": lambda text: text and parse_address(text),
    "lake_endpoint": check_endpoint,
    "proxy": check_proxy,
}

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["plain", "json"]
Theme = Literal["system", "dark", "light"]
CandleColours = Literal["green-red", "blue-orange"]
OandaServer = Literal["practice", "live"]
DukascopyFirst = Literal["json", "files"]


class SettingOrigin(Enum):
    """The source of a setting that is not left at its default."""

    FOREIGN = "another program's variable"
    FILE = "config.toml"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text kept out of logs and messages: ``str`` returns an ellipsis, and ``repr`` leaves the text out."""

    text: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return "…" if self.text else ""


def _setting(
    default: Any,
    sentence: str,
    *,
    metavar: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    shown: bool = True,
    variable: str = "",
) -> Any:
    """
    Declare a setting.

    ``metavar``: what its value is, where the type does not say; ``at_least``, ``at_most``: the smallest and the largest
    value allowed; ``shown``: whether ``repr`` includes the value; ``variable``: its environment variable, where that is
    not `ENVIRONMENT_PREFIX` and the name.
    """
    metadata = {
        "sentence": sentence,
        "metavar": metavar,
        "at_least": at_least,
        "at_most": at_most,
        "variable": variable,
    }
    return field(default=default, metadata=metadata, repr=shown)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run; see `load`."""

    data_dir: Path = field(
        default_factory=lambda: Path(platformdirs.user_data_dir("cryptopipe", appauthor=False)),
        metadata={
            "sentence": "Folder of the embedded database, the spool, the log and the window's layout.",
            "metavar": "FOLDER",
            "at_least": None,
            "at_most": None,
        },
    )
    database_url: str = _setting(
        "",
        "PostgreSQL or TimescaleDB to use instead of the embedded one (postgresql://…).",
        metavar="URL",
        shown=False,  # because it may hold a password
    )
    database_password: Secret = _setting(Secret(), "Password for database_url, where that holds none.", metavar="TEXT")
    database_connections: int = _setting(8, "Connections for reading the database, at most.", at_least=2)
    database_timeout_seconds: float = _setting(10.0, "Seconds to wait for a connection to the database.", at_least=1)
    postgres_bin: str = _setting(
        "", "Folder with the PostgreSQL programs to run the embedded database from.", metavar="FOLDER"
    )
    binance_ws_url: str = _setting(
        "wss://stream.binance.com:9443", "Base of the exchange's WebSocket streams.", metavar="ADDRESS"
    )
    binance_rest_url: str = _setting(
        "https://api.binance.com", "Base of the exchange's REST interface.", metavar="ADDRESS"
    )
    archive_url: str = _setting(
        "https://data.binance.vision", "Base of the exchange's archive of past trades and candles.", metavar="ADDRESS"
    )
    archive_keep: bool = _setting(
        False, "Keep downloaded files of the archive in the data directory once they are stored.", metavar="true|false"
    )
    dukascopy_url: str = _setting(
        "https://jetta.dukascopy.com", "Base of Dukascopy's JSON interface; empty: not used.", metavar="ADDRESS"
    )
    dukascopy_files_url: str = _setting(
        "https://datafeed.dukascopy.com", "Base of Dukascopy's tree of .bi5 files; empty: not used.", metavar="ADDRESS"
    )
    dukascopy_tries: int = _setting(
        10,
        "Attempts, over 100 s, to get an hour of Dukascopy's ticks before it is skipped: 2 to 15.",
        at_least=2,
        at_most=15,
    )
    dukascopy_first: DukascopyFirst = _setting(
        "json", "Which of Dukascopy's interfaces is asked first: json, or the files."
    )
    oanda_server: OandaServer = _setting("practice", "OANDA's servers that the account is for: practice or live.")
    oanda_rest_url: str = _setting(
        "", "Base of OANDA's REST interface, instead of that of oanda_server.", metavar="ADDRESS"
    )
    oanda_stream_url: str = _setting(
        "", "Base of OANDA's pricing stream, instead of that of oanda_server.", metavar="ADDRESS"
    )
    oanda_api_key: Secret = _setting(Secret(), "Token of the OANDA account.", metavar="TEXT", variable="OANDA_API_KEY")
    oanda_account_id: Secret = _setting(
        Secret(),
        "Number of the OANDA account, such as 101-004-1234567-001.",
        metavar="TEXT",
        variable="OANDA_ACCOUNT_ID",
    )
    proxy: str = _setting(
        "system",
        "Proxy to the exchange: system, none, or an address (http, https, socks5h, socks5 or socks4, ://user:password@…).",
        metavar="ADDRESS",
        shown=False,  # because it may hold a password
    )
    symbols: tuple[str, ...] = _setting(
        DEFAULT_SYMBOLS, "Symbols to watch and record, separated by commas.", metavar="LIST"
    )
    calendars: str = _setting(
        "",
        "When markets are open, where it is not as usual: oanda:SPX500USD=XNYS, separated by commas. A calendar is "
        "crypto, forex, or an exchange's code with the extra calendars.",
        metavar="LIST",
    )
    interval: str = _setting(DEFAULT_INTERVAL, "Interval the chart opens with.", metavar="INTERVAL")
    theme: Theme = _setting("system", "Colours of the window: system (as the desktop has them), dark or light.")
    candle_colours: CandleColours = _setting(
        "green-red", "Rising and falling: green-red, or blue-orange, which colour-blind eyes distinguish."
    )
    text_percent: int = _setting(100, "Size of the window's text, in percent of the desktop's.", at_least=50)
    spread_percent: float = _setting(
        0.0, "Show bid and ask as last price ± this percentage; 0 shows the exchange's own.", at_least=0
    )
    keep_trades: str = _setting(
        "",
        "Keep trades and ticks that long (90d, 2y, off) once `cryptopipe db retention` confirmed it; candles stay.",
        metavar="LENGTH",
    )
    batch_trades: int = _setting(100, "Trades that make a batch for the database.", at_least=1)
    batch_seconds: float = _setting(1.0, "Seconds after which a smaller batch is stored.", at_least=0.01)
    queue_trades: int = _setting(200_000, "Trades kept waiting for the database at most.", at_least=1_000)
    spool_megabytes: int = _setting(
        1024, "Megabytes on disk for trades that the database does not take just now; 0: none.", at_least=0
    )
    repair_trades: int = _setting(
        50_000, "Largest hole, in trades, that is fetched without being asked for; 0: none is.", at_least=0
    )
    reconnect_attempts: int = _setting(0, "Failed connections in a row after which to give up; 0: never.", at_least=0)
    stall_seconds: float = _setting(20.0, "Seconds without data after which a connection is replaced.", at_least=1)
    log_level: LogLevel = _setting("info", "Least important level logged: debug, info, warning or error.")
    log_format: LogFormat = _setting("plain", "Format of the log file: plain or json.")
    serve_host: str = _setting(
        "127.0.0.1", "Address that serves the data; others than this machine need a token and TLS.", metavar="ADDRESS"
    )
    serve_port: int = _setting(
        0, "Port that serves the data from the window and collect, 0: none; serve itself takes 8080 then.", at_least=0
    )
    serve_token: Secret = _setting(Secret(), "Token that readers of the served data must have.", metavar="TEXT")
    serve_origins: str = _setting(
        "", "Origins of web pages that may read the served data, separated by commas; * for all.", metavar="LIST"
    )
    serve_certificate: str = _setting("", "File with the certificate to serve the data with, PEM.", metavar="FILE")
    serve_key: str = _setting("", "File with the key of serve_certificate, PEM.", metavar="FILE")
    serve_requests_per_minute: int = _setting(
        6_000, "Requests for served data that each client may make in a minute; 0: any number.", at_least=0
    )
    lake: str = _setting("", "The lake where a command names none: a folder, or s3://bucket/prefix.", metavar="LAKE")
    lake_endpoint: str = _setting(
        "", "Address of the S3-compatible store that the lake's bucket is in; empty: Amazon's.", metavar="ADDRESS"
    )
    metrics_port: int = _setting(
        0, "Port on this machine that serves the metrics of docs/metrics.md to Prometheus; 0: none.", at_least=0
    )
    origins: Mapping[str, SettingOrigin] = field(default_factory=dict, compare=False, repr=False)
    """Origin of each value that is not the default, by setting name. Not a setting itself."""


class Declaration(NamedTuple):
    """One setting as declared, for help texts and documents."""

    name: str
    default: Any
    sentence: str
    metavar: str
    own_variable: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether the setting is accepted from the environment only."""
        return isinstance(self.default, Secret)

    @property
    def variable(self) -> str:
        """The setting's environment variable."""
        return self.own_variable or ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The setting's command line option."""
        return "--" + self.name.replace("_", "-")


def declarations() -> Iterator[Declaration]:
    """Yield every setting in the order declared; the default of ``data_dir`` is None, as it depends on the user."""
    for declared in _declared().values():
        default = declared.default if declared.default is not MISSING else None
        metavar = declared.metadata["metavar"] or "|".join(choices_of(declared.name)) or "N"
        own_variable = declared.metadata.get("variable", "")
        yield Declaration(declared.name, default, declared.metadata["sentence"], metavar, own_variable)


def choices_of(name: str) -> tuple[str, ...]:
    """Return the values that a setting can have, where it has a fixed choice of them, else none."""
    kind = _types().get(name)
    return get_args(kind) if get_origin(kind) is Literal else ()


def config_file() -> Path:
    """Return the path of the user's settings file, which may not exist."""
    return Path(platformdirs.user_config_dir("cryptopipe", appauthor=False)) / "config.toml"


def load(
    options: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """
    Load the settings from the file, the environment and the command line.

    ``options``: the command line's values by setting name; None counts as absent. ``environment`` and ``file`` default
    to the process's environment and the user's file; a missing file is no error.

    Raises:
        SettingsError: If a setting is unknown or a value is invalid.
    """
    file = config_file() if file is None else file
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origins: dict[str, SettingOrigin] = {}

    def take(name: str, value: Any, origin: SettingOrigin, where: str) -> None:
        values[name] = converted(name, value, origin, where)
        origins[name] = origin

    in_options = {name: value for name, value in (options or {}).items() if value is not None}
    in_environment = _environment_settings(environment)
    in_file = _read_file(file)
    for name, found in foreign_values(environment).items():
        if name not in in_file and name not in in_environment and name not in in_options:
            with contextlib.suppress(SettingsError):  # meant for another program
                take(name, found.value, SettingOrigin.FOREIGN, f"({found.variable} in the environment)")
    for name, value in in_file.items():
        # A value that a later source overrides is not checked, so an option gets past a wrong line in the file. A
        # secret in the file is refused all the same, as it lies there for others to read.
        if (name not in in_environment and name not in in_options) or _is_secret(name):
            take(name, value, SettingOrigin.FILE, f"in {file}")
    for name, (variable, text) in in_environment.items():
        if name not in in_options:
            take(name, text, SettingOrigin.ENVIRONMENT, f"({variable} in the environment)")
    for name, value in in_options.items():
        take(name, value, SettingOrigin.COMMAND_LINE, "on the command line")
    return Settings(**values, origins=origins)


def as_variables(settings: Settings) -> dict[str, str]:
    """
    Return every setting as an environment variable, so that another process of this program has the same ones.

    They hold secrets: never show them.
    """
    return {one.variable: _as_text(getattr(settings, one.name)) for one in declarations()}


def _as_text(value: Any) -> str:
    if isinstance(value, Secret):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _environment_settings(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the settings in the environment by name, as (variable, text)."""
    found = {
        one.name: (one.own_variable, environment[one.own_variable])
        for one in declarations()
        if one.own_variable in environment
    }
    return found | {
        variable.removeprefix(ENVIRONMENT_PREFIX).lower(): (variable, text)
        for variable, text in environment.items()
        if variable.startswith(ENVIRONMENT_PREFIX) and not variable.startswith(_TEST_VARIABLES)
    }


def _declared() -> dict[str, Field[Any]]:
    return {declared.name: declared for declared in fields(Settings) if "sentence" in declared.metadata}


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}. Correct it or move it away.") from error


def converted(name: str, value: Any, origin: SettingOrigin, where: str = "") -> Any:
    """
    Return the value converted to the setting's type and checked.

    ``where`` is ``origin`` in words, as ``"on the command line"``, or empty to leave it out of the sentence.

    Raises:
        SettingsError: If there is no such setting, or the value is invalid.
    """
    declared = _declared().get(name)
    if declared is None:
        raise no_setting(name, where)
    setting = f"The setting {name} {where}".strip()
    declared_type = _types()[name]
    if declared_type is Secret:
        return _convert_secret(name, value, origin, where)
    if name == "symbols":
        return _convert_symbols(setting, value)
    try:
        result = msgspec.convert(
            value.strip() if isinstance(value, str) else value,
            str if declared_type is Path else declared_type,
            strict=False,  # the environment and the command line have numbers as text
        )
    except msgspec.ValidationError as error:
        raise SettingsError(f"{setting} cannot be “{value}”: {declared.metadata['sentence']}") from error
    if declared_type is Path:
        return _convert_folder(setting, result)
    if isinstance(result, str):
        _check_text(name, result, setting, origin)
    else:
        ends = declared.metadata["at_least"], declared.metadata["at_most"]
        _check_number(result, *ends, f"{setting} cannot be {value}")
    return result


def no_setting(name: str, where: str = "") -> SettingsError:
    """Return the error for a name that no setting has; ``where`` says where it stands."""
    found = nearest(name, _declared())
    place = f" {where}" if where else ""
    meant = f"did you mean {found}? " if found else ""
    return SettingsError(f"There is no setting “{name}”{place}: {meant}cryptopipe settings list shows them all.")


def _is_secret(name: str) -> bool:
    return _types().get(name) is Secret


@lru_cache
def _types() -> dict[str, Any]:
    return {name: kind for name, kind in get_type_hints(Settings).items() if name in _declared()}


def _convert_secret(name: str, value: Any, origin: SettingOrigin, where: str) -> Secret:
    if origin is not SettingOrigin.ENVIRONMENT:
        variable = next(one.variable for one in declarations() if one.name == name)
        raise SettingsError(
            f"The setting {name} must not be {where}, where others may read it: remove it there and set {variable}."
        )
    return Secret(str(value))  # not stripped: a space may be part of a password


def _convert_symbols(setting: str, value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f"{setting} must name symbols, such as BTCUSDT,ETHUSDT.")
    try:
        symbols = tuple(dict.fromkeys(read_symbol(name) for name in names if name.strip()))
    except UsageError as error:
        raise SettingsError(f"{setting} cannot be used: {error}") from error
    if not symbols:
        raise SettingsError(f"{setting} names none: give at least one, such as BTCUSDT.")
    return symbols


def _convert_folder(setting: str, text: str) -> Path:
    if not text:
        raise SettingsError(f"{setting} is empty: name a folder.")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(f"{setting} cannot be “{text}”: there is no such home folder.") from error


def _check_text(name: str, text: str, setting: str, origin: SettingOrigin) -> None:
    if check := _TEXT_CHECKS.get(name):
        try:
            check(text)
        except (SettingsError, UsageError) as error:
            raise SettingsError(f"{setting} cannot be used: {error}") from error
    if name == "proxy" and origin is SettingOrigin.COMMAND_LINE and "@" in text:
        raise SettingsError(
            "The setting proxy must hold no password on the command line, which other programs can read:"
            f" set {ENVIRONMENT_PREFIX}PROXY."
        )


def _check_number(number: float, at_least: float | None, at_most: float | None, refusal: str) -> None:
    if isinstance(number, float) and not math.isfinite(number):
        raise SettingsError(f"{refusal}: give a plain number.")
    if at_least is not None and number < at_least:
        raise SettingsError(f"{refusal}: it must be at least {at_least:g}.")
    if at_most is not None and number > at_most:
        raise SettingsError(f"{refusal}: it must be at most {at_most:g}.")
