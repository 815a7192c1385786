"""
Every setting, declared once: type, default and a sentence.

Sources in rising order of precedence: the default, ``config.toml`` in the user's configuration directory, the
environment (``CRYPTOPIPE_`` and the name in capitals), the command line (``--name-with-dashes``). A value that cannot
be used raises `SettingsError` with one sentence that names its source. A secret comes from the environment only: a file
outlives the run, and every program of the machine can read a command line.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_type_hints

import msgspec
import platformdirs

from app.brokers.proxy import check_proxy
from app.market.errors import SettingsError, UsageError
from app.market.interval import Interval
from storage.schema.retention_period import proposal

ENVIRONMENT_PREFIX = "CRYPTOPIPE_"
_NOT_SETTINGS = ("CRYPTOPIPE_TEST_", "CRYPTOPIPE_SHARED_DATA")  # the tests' own variables
DEFAULT_INTERVAL = "1m"
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "ADAUSDT", "XRPUSDT")

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["plain", "json"]
Theme = Literal["system", "dark", "light"]
CandleColours = Literal["green-red", "blue-orange"]


class SettingOrigin(Enum):
    """Where a setting's value was found."""

    FILE = "config.toml"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is never shown: printing it, or an object that holds it, prints an ellipsis or nothing."""

    text: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return "…" if self.text else ""


def _setting(default: Any, sentence: str, *, at_least: float | None = None, shown: bool = True) -> Any:
    return field(default=default, metadata={"sentence": sentence, "at_least": at_least}, repr=shown)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run; see `load`."""

    data_dir: Path = field(
        default_factory=lambda: Path(platformdirs.user_data_dir("cryptopipe", appauthor=False)),
        metadata={
            "sentence": "Folder of the embedded database, the spool, the log and the window's layout.",
            "at_least": None,
        },
    )
    database_url: str = _setting(
        "",
        "PostgreSQL or TimescaleDB to use instead of the embedded one (postgresql://…).",
        shown=False,  # because it may hold a password
    )
    database_password: Secret = _setting(Secret(), "Password for database_url, where that holds none.")
    postgres_bin: str = _setting("", "Folder with the PostgreSQL programs to run the embedded database from.")
    binance_ws_url: str = _setting("wss://stream.binance.com:9443", "Base of the exchange's WebSocket streams.")
    binance_rest_url: str = _setting("https://api.binance.com", "Base of the exchange's REST interface.")
    proxy: str = _setting(
        "system",
        "Proxy to the exchange: system, none, or an address (http, https, socks5h, socks5 or socks4, ://user:password@…).",
        shown=False,  # because it may hold a password
    )
    symbols: tuple[str, ...] = _setting(DEFAULT_SYMBOLS, "Symbols to watch and record, separated by commas.")
    interval: str = _setting(DEFAULT_INTERVAL, "Interval the chart opens with.")
    theme: Theme = _setting("system", "Colours of the window: system (as the desktop has them), dark or light.")
    candle_colours: CandleColours = _setting(
        "green-red", "Rising and falling: green-red, or blue-orange, which colour-blind eyes tell apart."
    )
    text_percent: int = _setting(100, "Size of the window's text, in percent of the desktop's.", at_least=50)
    spread_percent: float = _setting(
        0.0, "Show bid and ask as last price ± this percentage; 0 shows the exchange's own.", at_least=0
    )
    keep_trades: str = _setting(
        "", "Keep trades for that long (90d, 26w, 2y, off) once `cryptopipe db retention` confirmed it; candles stay."
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
    metrics_port: int = _setting(
        0, "Port on this machine that serves the metrics of docs/metrics.md to Prometheus; 0: none.", at_least=0
    )
    places: Mapping[str, SettingOrigin] = field(default_factory=dict, compare=False, repr=False)
    """Where each value that is no default was found; no setting itself."""


class Declaration(NamedTuple):
    """One setting as declared, for help texts and documents."""

    name: str
    default: Any
    sentence: str

    @property
    def is_secret(self) -> bool:
        """Whether it is read from the environment only."""
        return isinstance(self.default, Secret)

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


def declarations() -> Iterator[Declaration]:
    """Yield every setting in the order declared."""
    for declared in _declared().values():
        default = declared.default if declared.default is not MISSING else None
        yield Declaration(declared.name, default, declared.metadata["sentence"])


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
    Return the settings in force.

    ``options`` are those of the command line, by setting name; None counts as absent. ``environment`` and ``file``
    default to the process's environment and the user's file; a missing file is no error.

    Raises:
        SettingsError: If a setting is unknown or a value cannot be used.
    """
    file = config_file() if file is None else file
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    places: dict[str, SettingOrigin] = {}

    def take(name: str, value: Any, place: SettingOrigin, words: str) -> None:
        values[name] = _convert(name, value, place, words)
        places[name] = place

    given = {name: value for name, value in (options or {}).items() if value is not None}
    named = _in_environment(environment)
    # A value that a later source overrides is not checked.
    for name, value in _read_file(file).items():
        if (name not in named and name not in given) or _is_secret(name):
            take(name, value, SettingOrigin.FILE, f"in {file}")
    for name, (variable, text) in named.items():
        if name not in given:
            take(name, text, SettingOrigin.ENVIRONMENT, f"({variable} in the environment)")
    for name, value in given.items():
        take(name, value, SettingOrigin.COMMAND_LINE, "on the command line")
    return Settings(**values, places=places)


def _in_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the settings in the environment by name, as (variable, text)."""
    return {
        variable.removeprefix(ENVIRONMENT_PREFIX).lower(): (variable, text)
        for variable, text in environment.items()
        if variable.startswith(ENVIRONMENT_PREFIX) and not variable.startswith(_NOT_SETTINGS)
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


def _convert(name: str, value: Any, found: SettingOrigin, place: str) -> Any:
    """Return the value converted to its declared type and checked; ``place`` is ``found`` in words."""
    declared = _declared().get(name)
    if declared is None:
        known = ", ".join(sorted(_declared()))
        raise SettingsError(f"There is no setting “{name}” {place}; the settings are {known}.")
    kind = get_type_hints(Settings)[name]
    if kind is Secret:
        return _secret(name, value, found, place)
    if name == "symbols":
        return _symbols(value, place)
    try:
        converted = msgspec.convert(
            value.strip() if isinstance(value, str) else value, str if kind is Path else kind, strict=False
        )
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"The setting {name} {place} cannot be “{value}”: {declared.metadata['sentence']}"
        ) from error
    if name == "interval":
        _check_interval(converted, place)
    if name == "keep_trades":
        _check_keep(converted, place)
    if name == "proxy":
        _check_proxy(converted, found, place)
    least = declared.metadata["at_least"]
    if isinstance(converted, float) and not math.isfinite(converted):
        raise SettingsError(f"The setting {name} {place} cannot be {value}: give a plain number.")
    if least is not None and not converted >= least:
        raise SettingsError(f"The setting {name} {place} cannot be {value}: it must be at least {least:g}.")
    if kind is Path:
        if not converted:
            raise SettingsError(f"The setting {name} {place} is empty: name a folder.")
        return _folder(name, converted, place)
    return converted


def _is_secret(name: str) -> bool:
    return name in _declared() and get_type_hints(Settings)[name] is Secret


def _secret(name: str, value: Any, found: SettingOrigin, place: str) -> Secret:
    if found is not SettingOrigin.ENVIRONMENT:
        variable = ENVIRONMENT_PREFIX + name.upper()
        raise SettingsError(
            f"The setting {name} must not stand {place}, where others may read it: remove it there and set {variable}."
        )
    return Secret(str(value))


def _folder(name: str, text: str, place: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(f"The setting {name} {place} cannot be “{text}”: there is no such home folder.") from error


def _check_interval(text: str, place: str) -> None:
    try:
        Interval.parse(text)
    except UsageError as error:
        raise SettingsError(f"The setting interval {place} cannot be used: {error}") from error


def _check_keep(text: str, place: str) -> None:
    try:
        proposal(text)
    except UsageError as error:
        raise SettingsError(f"The setting keep_trades {place} cannot be used: {error}") from error


def _check_proxy(text: str, found: SettingOrigin, place: str) -> None:
    try:
        check_proxy(text)
    except SettingsError as error:
        raise SettingsError(f"The setting proxy {place} cannot be used: {error}") from error
    if found is SettingOrigin.COMMAND_LINE and "@" in text:
        raise SettingsError(
            "The setting proxy must hold no password on the command line, which other programs can read:"
            f" set {ENVIRONMENT_PREFIX}PROXY."
        )


def _symbols(value: Any, place: str) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f"The setting symbols {place} must name symbols, such as BTCUSDT,ETHUSDT.")
    wanted = tuple(dict.fromkeys(name.strip().upper().replace("/", "") for name in names if name.strip()))
    if not wanted:
        raise SettingsError(f"The setting symbols {place} names none: give at least one, such as BTCUSDT.")
    return wanted
