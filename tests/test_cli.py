"""The commands as a user types them: exit codes, one sentence on standard error, nothing left behind."""

from __future__ import annotations

import csv
import json
import logging
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from app.main import main
from app.sandbox.server.server import SandboxServer
from tests.program import NOWHERE, PROGRAM, exchange, point_to, set_surroundings, started, wait_for


@pytest.fixture(autouse=True)
def _process_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let no setting of this machine's user count, and undo what a command changes in its process."""
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook, logging.raiseExceptions
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], level, sys.excepthook, threading.excepthook, logging.raiseExceptions = before
    root.setLevel(level)
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    with exchange() as made:
        point_to(made, monkeypatch)
        yield made


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return ``refused(*arguments, code)``: the one sentence a refused command says, nothing on standard output."""

    def run(*arguments: str, code: int = 2) -> str:
        assert main(list(arguments)) == code
        printed = capsys.readouterr()
        assert printed.out == ""
        lines = printed.err.splitlines()
        assert len(lines) == 1, printed.err
        assert lines[0].startswith("cryptopipe: ")
        assert lines[0].endswith(".")
        return lines[0].removeprefix("cryptopipe: ")

    return run


def files_in(folder: Path) -> list[str]:
    """Every file below, but for logs."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".log"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["collekt"], "“collekt” is not a command: did you mean collect?"),
        (["BTCUSDT"], "“BTCUSDT” is not a command. See cryptopipe --help."),
        (["db", "statsu"], "“statsu” is not a command: did you mean status? See cryptopipe db --help."),
        (["db"], "Missing command. See cryptopipe db --help."),
        (["collect", "BTCUSDT"], "“BTCUSDT” is one argument too many; symbols are named with --symbols."),
        (["export", "BTCUSDT", "1m", "5m", "--out", "a.csv"], "“5m” is one argument too many."),
        (["doctor", "--jsn"], "There is no option --jsn: did you mean --json? See cryptopipe doctor --help."),
        (["sandbox", "--seed", "x"], "--seed cannot be used: 'x' is not a valid integer."),
        (["sandbox", "a.gz"], "“a.gz” is one argument too many: name recordings with --replay."),
        (["--colour=red"], "--colour"),
        (["export"], "SYMBOL,… is required."),
        (["export", "BTCUSDT"], "INTERVAL,…|trades|quotes|gaps|sessions|session_gaps is required."),
        (["export", "BTCUSDT", "1m", "--json", "--out", "-"], "would both print on standard output"),
        (["collect", "--for", "soon"], "“soon” is not a length of time"),
        (["collect", "--for", "0s"], "“0s” is not a length of time"),
        (["collect", "--symbols", ","], "names none"),
        (["collect", "--batch-trades", "0"], "at least 1"),
        (["collect", "--theme", "pink"], "dark or light"),
        (["collect", "--binance-ws-url", "example"], "is no address of the exchange"),
        (["collect", "--binance-rest-url", "ftp://x"], "is no address of the exchange"),
        (["sandbox", "--replay", "no-such-file.gz"], "does not exist"),
        (["sandbox", "--speed", "fast", "--replay", "x"], "--speed cannot be “fast”"),
        (["sandbox", "--oanda-replay", "no-such-file.zip"], "no recording of OANDA's prices"),
        (["sandbox", "--dukascopy-folder", "no-such-folder"], "no folder of Dukascopy's recordings"),
        (["sandbox", "--rate", "0"], "--rate"),
        (["sandbox", "--rate", "nan"], "--rate"),
        (["sandbox", "--history", "long"], "“long” is not a length of time"),
        (["sandbox", "--port", "70000"], "--port"),
        (["export", "BTCUSDT", "5x", "--out", "a.csv"], "“5x” is not an interval"),
        (["export", "BTCUSDT", "1m", "--out", "a.txt"], "let it end in one of .csv"),
        (["export", "BTCUSDT", "1m", "--out", "no-such-folder/a.csv"], "does not exist"),
        (["export", "BTCUSDT", "1m", "--from", "noon", "--out", "a.csv"], "“noon” is not a time"),
        (["export", "BTCUSDT", "1m", "--from", "2024-02-02", "--to", "2024-02-01", "--out", "a.csv"], "later than"),
        (
            ["export", "BTCUSDT", "1h", "--from", "2024-02-02T00:01", "--to", "2024-02-02T01:59"],
            "No whole candle of 1h",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_and_changes_nothing(
    refused: Callable[..., str],
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(*arguments)
    assert [name for name in files_in(tmp_path) if name != "data/recording.lock"] == []


@pytest.mark.parametrize("before", [[], ["--interval", "4h"]])
def test_a_wrong_argument_is_named_as_what_it_is_and_not_as_a_setting(
    refused: Callable[..., str], before: list[str]
) -> None:
    assert refused(*before, "export", "BTCUSDT", "5x", "--out", "a.csv").startswith("“5x” is not an interval")


def test_an_unknown_setting_in_the_environment_is_refused(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_COLOUR", "red")
    assert "“colour”" in refused("doctor")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("symbols", "says"),
    [
        ("BTCUSDT,NOSUCH", "“NOSUCH” is not a symbol"),
        ("A,B,C,BTCUSDT,D,E,F,G", "“A”, “B”, “C”, “D”, “E” and 2 more are not symbols"),
        ("LUNAUSDT", "is not trading now"),
    ],
)
def test_a_symbol_that_cannot_be_recorded_is_refused_before_anything_is_stored(
    refused: Callable[..., str], tmp_path: Path, symbols: str, says: str
) -> None:
    assert says in refused("collect", "--symbols", symbols)
    assert files_in(tmp_path) == ["data/recording.lock"]


def test_an_exchange_that_is_away_all_the_time_is_one_sentence(refused: Callable[..., str]) -> None:
    sentence = refused("collect", "--for", "1s", code=1)
    assert sentence.startswith("Nothing was recorded, because the exchange was away all the time.")
    assert NOWHERE in sentence


def test_a_data_directory_that_cannot_be_written_is_one_sentence(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "name another with --data-dir" in refused("collect", "--data-dir", str(tmp_path / "file"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_without_a_display_the_headless_ways_are_named(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    sentence = refused()
    assert "collect" in sentence
    assert "export" in sentence
    assert files_in(tmp_path) == []


def test_a_bug_is_one_sentence_and_its_traceback_goes_to_the_log(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("app.commands.doctor.report", fail)
    assert "(ZeroDivisionError); the log file tells more" in refused("doctor", code=1)
    assert "Traceback" in (tmp_path / "data" / "logs" / "cryptopipe.log").read_text()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["collect", "--help"]])
def test_help_and_version_are_no_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == 0
    assert capsys.readouterr().err == ""


def test_the_sandbox_prints_its_addresses_and_stops_when_standard_input_closes() -> None:
    with started("sandbox", "--port", "0", "--until-stdin-closes") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert re.search(r"ws://127\.0\.0\.1:(\d+) and http://127\.0\.0\.1:\1\.$", line.strip())
        oanda, dukascopy = process.stdout.readline(), process.stdout.readline()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert re.fullmatch(r"OANDA's is at http://127\.0\.0\.1:\d+ \(token \S+, account [\d-]+\)\.", oanda.strip())
    assert re.fullmatch(r"Dukascopy's interfaces are both at http://127\.0\.0\.1:\d+\.", dukascopy.strip())


def test_the_sandbox_replays_recordings_of_the_brokers_of_quotes(shared_data: Callable[[str], Path]) -> None:
    recorded = ["--oanda-replay", str(shared_data("oanda/eurusd_tick_20140504.zip")), "--speed", "max"]
    recorded += ["--dukascopy-folder", str(shared_data("dukascopy"))]
    with started("sandbox", "--port", "0", "--until-stdin-closes", *recorded) as process:
        assert process.stdout is not None
        found = [re.search(r"http://[\d.:]*\d", process.stdout.readline()) for _ in range(3)]
        urls = [one[0] for one in found if one is not None]
        summary = Request(f"{urls[1]}/v3/instruments/EUR_USD/candles?granularity=M1&count=5")
        summary.add_header("Authorization", "Bearer sandbox-token")
        assert b'"candles":[]' in urlopen(summary, timeout=20).read()  # nothing has been replayed yet
        assert len(urlopen(f"{urls[2]}/datafeed/EURUSD/2019/01/04/08h_ticks.bi5", timeout=20).read()) == 55_768
        process.communicate(timeout=20)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_the_sandbox_stops_on_sigterm_and_says_when_its_port_is_taken() -> None:
    with started("sandbox", "--port", "0") as process:
        assert process.stdout is not None
        port = process.stdout.readline().rstrip(".\n").rpartition(":")[2]
        second = subprocess.run(
            [*PROGRAM, "sandbox", "--port", port], capture_output=True, text=True, encoding="utf-8", timeout=30
        )
        assert second.returncode == 2
        assert second.stderr.splitlines() == [
            f"cryptopipe: Port {port} on 127.0.0.1 is in use: choose another with --port, or 0 for any free one."
        ]
        process.terminate()
        assert process.communicate(timeout=20)[1] == ""
        assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_collect_stops_on_sigterm_with_everything_written_and_export_and_doctor_find_it(
    server: SandboxServer,
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: Callable[..., str],
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATA_DIR", str(data_dir))
    log = data_dir / "logs" / "cryptopipe.log"

    def newest() -> int:
        ids = server._source.trade_ids("BTCUSDT")
        assert ids is not None
        return ids[1]

    with started("collect", "--symbols", "BTCUSDT") as process:
        wait_for(lambda: log.exists() and "database open" in log.read_text(), process)
        assert "Another cryptopipe already records" in refused("collect", "--symbols", "BTCUSDT")
        wait_for(lambda: server.connections, process)
        first = newest()
        wait_for(lambda: newest() > first + 60, process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=40)
    assert (process.returncode, err) == (0, "")
    match = re.fullmatch(r"(\d+) trades of BTCUSDT received and stored\.\n", out)
    assert match is not None

    path = tmp_path / "candles.csv"
    assert main(["export", "btcusdt", "1s", "--include-open", "--out", str(path)]) == 0
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["trades"]) for row in rows) >= int(match[1]) > 20
    assert "candles of BTCUSDT 1s written" in capsys.readouterr().out

    before = path.read_bytes()
    assert "is not a symbol of the exchange" in refused("export", "NOSUCH", "1m", "--out", str(path))
    assert "is not in the database" in refused("export", "NOSUCH", "1m", "--stored", "--out", str(path))
    assert path.read_bytes() == before

    assert main(["doctor", "--json", "--symbols", "BTCUSDT"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    findings = {one["name"]: one for one in json.loads(printed.out)}
    assert set(findings) == {"versions", "disk", "database", "exchange", "clock", "feed"}
    assert {name for name, one in findings.items() if one["level"] == "failed"} == set()
    assert re.search(r"[1-9][\d,]* trades of your symbols", findings["database"]["sentence"])


@pytest.mark.usefixtures("server")
def test_symbols_are_recorded_listed_and_exported_as_people_write_them(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    here = ["--data-dir", str(data_dir)]
    assert main(["collect", "--symbols", "binance:btc", "--for", "2s", *here]) == 0
    assert re.fullmatch(r"[1-9]\d* trades of BTCUSDT received and stored\.\n", capsys.readouterr().out)
    assert main(["db", "verify", "btc-usdt", "BTC", *here]) == 0
    assert "trades of BTCUSDT agree" in capsys.readouterr().out
    for text in ("BTC", "btc/usdt", "binance:BTC_USDT"):
        out = ["--include-open", "--out", str(tmp_path / "candles.csv")]
        assert main(["export", text, "1m", *out, *here]) == 0
    assert re.search("candles? of BTCUSDT 1m written", capsys.readouterr().out)
    assert "“BTCUSD” is not in the database: did you mean BTCUSDT?" in refused("gaps", "BTCUSD", *here)
    assert "“BTCUSD” is not a symbol of the exchange: did you mean BTCUSDT?" in refused(
        "collect", "--symbols", "btcusd", *here
    )


def test_doctor_reports_each_trouble_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    arguments: Sequence[str] = ["doctor", "--json", "--database-url", "postgresql://nobody@127.0.0.1:9/none"]
    assert main(list(arguments)) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    failed = {one["name"]: one["sentence"] for one in json.loads(printed.out) if one["level"] == "failed"}
    assert {"database", "exchange", "clock", "feed"} <= set(failed)
    assert all("\n" not in sentence and sentence.endswith(".") for sentence in failed.values())
