"""Where log lines go, and where tracebacks do not."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config.settings import LogFormat
from app.market.errors import SettingsError
from app.observability import logs
from app.observability.logs import start_logging


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook, logging.raiseExceptions
    levels = {name: logging.getLogger(name).level for name in ("websockets", "qasync")}
    logging.captureWarnings(False)
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(False)
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], level, sys.excepthook, threading.excepthook, logging.raiseExceptions = before
    root.setLevel(level)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_lines_carry_time_level_and_name(tmp_path: Path) -> None:
    path = start_logging(tmp_path, "info", "plain")
    logging.getLogger("app.x").info("hello %s", "€")
    logging.getLogger("app.x").debug("too small")
    (line,) = path.read_text(encoding="utf-8").splitlines()
    stamp, rest = line.split(" ", 1)
    assert stamp.endswith("Z")
    assert stamp[10] == "T"
    assert rest == "INFO app.x: hello €"


def test_every_json_line_parses_also_with_an_exception_or_a_line_break_in_it(tmp_path: Path) -> None:
    path = start_logging(tmp_path, "debug", "json")
    logger = logging.getLogger("app.x")
    logger.warning("two\nlines and a “quote”")
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        logger.exception("failed")
    first, second = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert first["message"] == "two\nlines and a “quote”"
    assert list(first) == ["timestamp", "level", "message", "service", "logger"]
    assert first["service"] == "cryptopipe"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["timestamp"])
    assert first["level"] == "warning"
    assert "ValueError: bad" in second["exception"]


def test_another_program_names_itself(tmp_path: Path) -> None:
    path = start_logging(tmp_path, "info", "json", name="sandbox")
    logging.getLogger("app.x").info("hello")
    assert json.loads(path.read_text(encoding="utf-8"))["service"] == "cryptopipe-sandbox"


def test_extra_values_get_their_own_keys_in_json_and_never_replace_another(tmp_path: Path) -> None:
    path = start_logging(tmp_path, "info", "json")
    logging.getLogger("app.x").warning(
        "3 trades missing", extra={"symbol": "BTCUSDT", "missing": 3, "level": "mine", "where": tmp_path}
    )
    (line,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (line["symbol"], line["missing"]) == ("BTCUSDT", 3)
    assert line["level"] == "warning"
    assert line["where"] == str(tmp_path)


def test_the_file_is_rotated_and_old_ones_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 1000)
    path = start_logging(tmp_path, "info", "plain", name="other")
    for number in range(200):
        logging.getLogger("app.x").info("line %d %s", number, "x" * 50)
    names = sorted(one.name for one in path.parent.iterdir())
    assert names == ["other.log", *(f"other.log.{number}" for number in range(1, 6))]
    assert all(one.stat().st_size <= 1000 for one in path.parent.iterdir())
    assert "line 199" in path.read_text()


def test_while_it_is_rotated_under_several_threads_no_line_is_lost_and_each_is_one_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 60_000)
    path = start_logging(tmp_path, "info", "json")

    def work(thread: int) -> None:
        for number in range(60):
            try:
                raise ValueError("two\nlines")
            except ValueError:
                logging.getLogger("app.x").exception("%d %d", thread, number, extra={"symbol": "BTCUSDT"})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = list(path.parent.iterdir())
    assert 2 <= len(files) <= 6
    lines = [json.loads(line) for one in files for line in one.read_text(encoding="utf-8").splitlines()]
    assert {line["message"] for line in lines} == {f"{thread} {number}" for thread in range(4) for number in range(60)}
    assert len(lines) == 240
    assert all("ValueError: two" in line["exception"] and line["symbol"] == "BTCUSDT" for line in lines)


def test_a_file_that_another_program_rotated_is_written_to_no_longer(tmp_path: Path) -> None:
    path = start_logging(tmp_path, "info", "plain")
    logging.getLogger("app.x").info("one")
    path.rename(path.with_name("cryptopipe.log.1"))
    logging.getLogger("app.x").info("two")
    assert path.read_text().endswith("two\n")
    path.rename(path.with_name("cryptopipe.log.2"))
    path.write_text("of the other\n")
    logging.getLogger("app.x").info("three")
    assert [line.rsplit(" ", 1)[-1] for line in path.read_text().splitlines()] == ["other", "three"]


@pytest.mark.parametrize("log_format", ["json", "plain"])
def test_a_line_that_cannot_be_encoded_is_written_escaped(tmp_path: Path, log_format: LogFormat) -> None:
    path = start_logging(tmp_path, "info", log_format)
    logging.getLogger("app.x").info("file \udcff here\u2028there", extra={"wait_s": float("inf")})
    written = path.read_text(encoding="utf-8")
    assert "\\udcff here" in written
    if log_format == "json":
        (line,) = written.splitlines()
        assert json.loads(line, parse_constant=pytest.fail)["wait_s"] == "inf"
        assert json.loads(line)["message"] == "file \udcff here\u2028there"


def test_an_uncaught_exception_goes_to_the_log_and_only_a_sentence_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = start_logging(tmp_path, "info", "plain")
    try:
        raise ZeroDivisionError("secret details")
    except ZeroDivisionError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    printed = capsys.readouterr().err
    assert printed == "cryptopipe: something went wrong inside (ZeroDivisionError); the log file tells more.\n"
    assert "Traceback" in path.read_text()
    assert "secret details" in path.read_text()


def test_an_uncaught_exception_of_a_thread_goes_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = start_logging(tmp_path, "info", "plain")
    hook = threading.excepthook

    def work() -> None:
        raise ZeroDivisionError("in a thread")

    assert hook is not threading.__excepthook__
    try:
        work()
    except ZeroDivisionError as error:
        hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread())))
    assert "Traceback" not in capsys.readouterr().err
    assert "in a thread" in path.read_text()


def test_a_warning_of_python_goes_to_the_log_and_not_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = start_logging(tmp_path, "info", "plain")
    warnings.simplefilter("always")
    warnings.warn("coroutine 'x' was never awaited", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == ""
    assert "never awaited" in path.read_text()


def test_an_interrupt_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = start_logging(tmp_path, "info", "plain")
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == ""
    assert path.read_text() == ""


def test_a_log_that_can_no_longer_be_written_prints_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_logging(tmp_path, "info", "plain")
    handler = logging.getLogger().handlers[0]

    def full(text: str) -> int:
        raise OSError(28, "No space left on device")

    assert isinstance(handler, logging.StreamHandler)
    monkeypatch.setattr(handler.stream, "write", full)
    logging.getLogger("app.x").info("hello")
    assert capsys.readouterr().err == ""


def test_a_data_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot be written \(.+\): name another with --data-dir\.$"):
        start_logging(tmp_path / "file", "info", "plain")
