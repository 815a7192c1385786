"""The progress of a command: seen on a terminal after a second, and nowhere else."""

from __future__ import annotations

import io
import threading
from contextlib import redirect_stderr

import pytest

from app.commands import progress as module
from app.commands.progress import Progress, figures, progress


class Terminal(io.StringIO):
    """Standard error as a terminal that remembers what was written, and tells when it contains something."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted, self.found = "", threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.wanted and self.wanted in self.getvalue():
            self.found.set()
        return written


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def test_done_total_rate_and_time_left_are_shown_and_the_line_is_taken_away(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHOWN_AFTER_S", 0.0)
    terminal.wanted = "s left"
    with redirect_stderr(terminal), progress("Copying", 5_000_000, "trades") as shown:
        for done in range(1, 2_000):
            shown.update(1_000 * done)
            if terminal.found.wait(0.02):
                break
    text = terminal.getvalue()
    assert terminal.found.is_set(), repr(text)
    assert "Copying" in text
    assert " of 5,000,000 trades · " in text
    assert " trades/s · " in text
    assert text.endswith("\x1b[2K")


def test_work_of_less_than_a_second_shows_nothing(terminal: Terminal) -> None:
    with redirect_stderr(terminal), progress("Copying", 100, "trades") as shown:
        shown.advance(100)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_shows_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(Progress, "show", lambda _: pytest.fail("shown"))
    monkeypatch.setattr(module, "SHOWN_AFTER_S", 0.0)
    with redirect_stderr(terminal), progress("Copying", 100, "trades") as shown:
        shown.advance()
    assert terminal.getvalue() == ""


def test_a_file_gets_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOWN_AFTER_S", 0.0)
    with progress("Copying", 100, "trades") as shown:
        shown.advance()
    assert capsys.readouterr() == ("", "")


def test_an_error_takes_the_line_away_too(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOWN_AFTER_S", 0.0)
    terminal.wanted = "Copying"

    def fail() -> None:
        with redirect_stderr(terminal), progress("Copying", 100, "trades"):
            assert terminal.found.wait(20)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert terminal.getvalue().endswith("\x1b[2K")


def test_what_is_shown_tells_only_what_is_known() -> None:
    assert figures(0, None, None, "trades") == ""
    assert figures(1_200, None, None, "trades") == "1,200 trades"
    assert figures(1_200, 5_000, None, "trades") == "1,200 of 5,000 trades"
    assert figures(1_200, 5_000, 300.0, "trades") == "1,200 of 5,000 trades · 300 trades/s · 13 s left"
    assert figures(5_100, 5_000, 300.0, "trades") == "5,100 of 5,100 trades · 300 trades/s"
    assert figures(3, 9, 0.5, "files") == "3 of 9 files · 0.5 files/s · 12 s left"
