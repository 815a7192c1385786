"""What doctor finds: everything well, the exchange away, a clock that is off, a database that cannot start."""

from __future__ import annotations

import asyncio
import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.commands import doctor
from app.commands.doctor import Finding, examine, report
from app.concurrency.system_clock import SystemClock
from app.config.foreign_variables import FOREIGN_VARIABLES
from app.config.settings import Settings, load
from app.market.interval import SECOND_US
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.server.server import SandboxServer
from storage.server.cluster import has_cluster
from tests.program import NOWHERE, exchange, servers_in, silent_server
from tests.sandbox.helpers import serving

RECORDING = ("ws_raw/examples_spot_btcusdt_20240808.gz",)
NAMES = ["versions", "disk", "database", "exchange", "clock", "feed"]


@pytest.fixture(autouse=True)
def _no_foreign_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings_for(data_dir: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Return ``settings_for(server, **options)``; without a server the exchange is away."""

    def make(server: SandboxServer | None = None, **options: object) -> Settings:
        chosen = {
            "data_dir": str(data_dir),
            "symbols": "BTCUSDT",
            "binance_ws_url": server.ws_url if server else f"ws://{NOWHERE}",
            "binance_rest_url": server.rest_url if server else f"http://{NOWHERE}",
            **options,
        }
        return load(chosen, environment={}, file=tmp_path / "none.toml")

    return make


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with exchange() as made:
        yield made


def found(settings: Settings) -> dict[str, Finding]:
    findings = examine(settings)
    assert [finding.name for finding in findings] == NAMES
    for finding in findings:
        assert finding.sentence.endswith(".")
        assert "\n" not in finding.sentence
    return {finding.name: finding for finding in findings}


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.level for name, finding in findings.items()}


def test_where_all_is_well_every_check_is_ok_and_nothing_is_left_running(
    server: SandboxServer, settings_for: Callable[..., Settings], data_dir: Path
) -> None:
    findings = found(settings_for(server))
    assert set(levels(findings).values()) == {"ok"}
    assert "0 trades of your symbols" in findings["database"].sentence
    assert "(tested: 3.11, " in findings["versions"].sentence
    assert "within" in findings["clock"].sentence
    assert servers_in(data_dir) == []
    assert has_cluster(data_dir / "database")


def test_with_the_exchange_away_the_database_is_checked_all_the_same(settings_for: Callable[..., Settings]) -> None:
    findings = found(settings_for())
    assert levels(findings) == {
        "versions": "ok",
        "disk": findings["disk"].level,
        "database": "ok",
        "exchange": "failed",
        "clock": "failed",
        "feed": "failed",
    }
    for name in ("exchange", "clock", "feed"):
        assert NOWHERE in findings[name].sentence


@pytest.mark.parametrize(("hours", "says"), [(2, "behind"), (-2, "ahead of")])
def test_a_clock_that_is_off_is_a_warning_that_names_the_direction(
    hours: int,
    says: str,
    server: SandboxServer,
    settings_for: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Off(SystemClock):
        def now_us(self) -> int:
            return super().now_us() - int(timedelta(hours=hours).total_seconds()) * SECOND_US

    monkeypatch.setattr(doctor, "SystemClock", Off)
    (clock,) = [asyncio.run(doctor._clock(settings_for(server)))]
    assert clock.level == "warning"
    assert f"clock is 2 h {says} the exchange's" in clock.sentence


async def test_a_replay_of_the_past_is_a_clock_that_is_off_and_no_failure(
    settings_for: Callable[..., Settings], shared_data: Callable[[str], Path]
) -> None:
    async with serving(RecordedMarket([shared_data(name) for name in RECORDING], speed=1.0)) as server:
        findings = {one.name: one for one in await doctor._exchange(settings_for(server))}
    assert levels(findings) == {"exchange": "ok", "clock": "warning", "feed": "ok"}
    assert "ahead of the exchange's" in findings["clock"].sentence


def test_a_symbol_the_exchange_does_not_trade_is_named(
    server: SandboxServer, settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_FIRST_EVENT_S", 0.3)
    findings = {one.name: one for one in asyncio.run(doctor._exchange(settings_for(server, symbols="LUNAUSDT")))}
    assert findings["exchange"].level == "failed"
    assert "LUNAUSDT is not trading now" in findings["exchange"].sentence


def test_doctor_distinguishes_a_silent_feed_from_one_that_cannot_be_reached(
    server: SandboxServer, settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_FIRST_EVENT_S", 0.3)
    with silent_server() as silent:
        feed = asyncio.run(doctor._feed(settings_for(server, binance_ws_url=f"ws://{silent.address}")))
    assert feed.level == "failed"
    assert silent.address in feed.sentence


def test_a_database_that_cannot_start_is_reported_and_the_rest_is_checked(
    server: SandboxServer, settings_for: Callable[..., Settings], tmp_path: Path, data_dir: Path
) -> None:
    findings = found(settings_for(server, postgres_bin=str(tmp_path / "nothing")))
    assert levels(findings)["database"] == "failed"
    assert {levels(findings)[name] for name in ("exchange", "clock", "feed")} == {"ok"}
    assert servers_in(data_dir) == []


def test_a_remote_database_that_is_away_is_reported_without_its_password(
    server: SandboxServer, settings_for: Callable[..., Settings]
) -> None:
    finding = found(settings_for(server, database_url=f"postgresql://me:secret@{NOWHERE}/trades"))["database"]
    assert finding.level == "failed"
    assert "secret" not in finding.sentence


@pytest.mark.parametrize(("free_gb", "level"), [(50.0, "ok"), (3.0, "warning"), (0.2, "failed")])
def test_disk_space_is_judged_where_the_data_will_be(
    free_gb: float, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # as shutil's
    asked: list[Path] = []

    def disk_usage(folder: Path) -> object:
        asked.append(folder)
        return usage(0, 0, int(free_gb * 1e9))

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    finding = doctor._disk(tmp_path / "not" / "yet")
    assert finding.level == level
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("finding_levels", "code"), [(["ok", "ok"], 0), (["ok", "warning"], 0), (["warning", "failed"], 1)]
)
@pytest.mark.parametrize("as_json", [True, False])
def test_only_a_failure_fails_and_every_finding_is_printed(
    finding_levels: list[str],
    code: int,
    as_json: bool,
    settings_for: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings = [Finding(f"check{at}", level, f"Sentence “{at}”.") for at, level in enumerate(finding_levels)]
    monkeypatch.setattr(doctor, "examine", lambda _: findings)
    assert report(settings_for(), as_json=as_json) == code
    out = capsys.readouterr().out
    if as_json:
        assert json.loads(out) == [finding._asdict() for finding in findings]
        assert "“" in out
    else:
        lines = out.splitlines()
        assert len(lines) == len(findings)
        assert all(finding.sentence in line for finding, line in zip(findings, lines, strict=True))


@pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")  # of the package
def test_a_chosen_calendar_that_cannot_be_used_is_a_failure(settings_for: Callable[..., Settings]) -> None:
    pytest.importorskip("exchange_calendars", reason="the package exchange_calendars is not installed")
    assert doctor._calendars(settings_for()) == []
    (good,) = doctor._calendars(settings_for(calendars="oanda:SPX500USD=XNYS,oanda:EURUSD=forex"))
    assert good == Finding("calendars", "ok", "FOREX, XNYS can be used.")
    (bad,) = doctor._calendars(settings_for(calendars="oanda:SPX500USD=XNSY"))
    assert bad.level == "failed"
    assert bad.sentence.startswith("“XNSY” is not a calendar:")


def test_variables_of_other_programs_are_reported_with_what_became_of_them(tmp_path: Path) -> None:
    environment = {"BATCH_SIZE": "250", "BATCH_TIMEOUT": "1000", "LOG_LEVEL": "loud", "LOG_FORMAT": "json", "PATH": "x"}
    settings = load({"log_format": "plain"}, environment=environment, file=tmp_path / "none.toml")
    (finding,) = doctor._variables(settings, environment)
    assert finding == Finding(
        "variables",
        "ok",
        "Of other programs' variables BATCH_SIZE, BATCH_TIMEOUT are in force; LOG_FORMAT is overruled by our own "
        "settings; LOG_LEVEL means nothing here.",
    )
    assert doctor._variables(settings, {"PATH": "x", "LOG_LEVEL": ""}) == []
