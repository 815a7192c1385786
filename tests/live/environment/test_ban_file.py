"""A ban survives a restart, and a file that is wrong in any way is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.environment.ban_file import FILE_NAME, StoredBan
from app.market.exchange_ban import LONGEST_S
from app.market.interval import SECOND_US
from tests.live.helpers import START_US, HandClock

EXCHANGE = ["binance.com"]
BANNED = "The exchange has banned this address (HTTP 418)."


def banned(tmp_path: Path, wait_s: float = 120.0) -> Path:
    """Return the file of a run that was banned at `START_US` for ``wait_s`` seconds."""
    path = tmp_path / FILE_NAME
    clock = HandClock()
    assert StoredBan(path, EXCHANGE, clock).note(BANNED, wait_s, clock.monotonic_s())
    return path


def after(path: Path, seconds: float, exchange: list[str] = EXCHANGE) -> str:
    """Return the ban's sentence in a run that starts that much later."""
    clock = HandClock(START_US + round(seconds * SECOND_US))
    return StoredBan(path, exchange, clock).sentence(clock.monotonic_s())


def test_a_ban_goes_on_in_the_next_run_and_ends_when_it_would_have(tmp_path: Path) -> None:
    path = banned(tmp_path)
    said = "The exchange has banned this address (HTTP 418); trying again in"
    assert after(path, 5) == f"{said} 1 min 55 s."
    assert after(path, 119) == f"{said} 1 s."
    assert after(path, 120) == after(path, 1e9) == ""
    assert sorted(one.name for one in tmp_path.iterdir()) == [FILE_NAME]


def test_the_longest_wait_of_a_run_is_kept(tmp_path: Path) -> None:
    path, clock = tmp_path / FILE_NAME, HandClock()
    ban = StoredBan(path, EXCHANGE, clock)
    assert ban.note(BANNED, 600, clock.monotonic_s())
    assert not ban.note("Slower, please.", 5, clock.monotonic_s())
    assert after(path, 0).endswith("trying again in 10 min 0 s.")


def test_another_program_on_the_data_directory_obeys_within_a_second(tmp_path: Path) -> None:
    path, clock = tmp_path / FILE_NAME, HandClock()
    window, command = (StoredBan(path, EXCHANGE, clock) for _ in range(2))
    now_s = clock.monotonic_s()
    assert command.left_s(now_s) == 0
    assert window.note(BANNED, 600, now_s)
    assert command.left_s(now_s + 0.9) == 0
    assert command.left_s(now_s + 1) == pytest.approx(600)
    assert "banned this address" in command.sentence(now_s + 2)


def test_a_short_wait_of_one_program_does_not_overwrite_the_ban_of_another(tmp_path: Path) -> None:
    path, clock = tmp_path / FILE_NAME, HandClock()
    window, command = (StoredBan(path, EXCHANGE, clock) for _ in range(2))
    assert window.note(BANNED, 600, clock.monotonic_s())
    assert not command.note("Slower, please.", 5, clock.monotonic_s())
    assert after(path, 0).endswith("trying again in 10 min 0 s.")


def test_a_clock_that_was_set_between_the_runs_makes_no_ban_longer(tmp_path: Path) -> None:
    path = banned(tmp_path)
    assert after(path, -86_400 * 800).endswith("trying again in 2 min 0 s.")


def test_a_ban_does_not_concern_another_exchange(tmp_path: Path) -> None:
    path = banned(tmp_path)
    assert after(path, 1, ["127.0.0.1:9443"]) == ""
    assert after(path, 1, ["127.0.0.1:9443", *EXCHANGE])


def test_no_ban_is_longer_than_the_exchanges_own_longest(tmp_path: Path) -> None:
    path = banned(tmp_path, 10 * LONGEST_S)
    assert after(path, 0).endswith("trying again in 3 d 0 h.")
    path.write_text(path.read_text().replace("259200.0", "259201.0"))
    assert after(path, 0) == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"reason": "x"}',
        b'{"reason": "x", "until": "2999-01-01T00:00:00", "wait_s": 9, "exchanges": ["binance.com"]}',
        b'{"reason": "", "until": "2999-01-01T00:00:00Z", "wait_s": 9, "exchanges": ["binance.com"]}',
        b'{"reason": "x", "until": "2999-01-01T00:00:00Z", "wait_s": -9, "exchanges": ["binance.com"]}',
        b'{"reason": "x", "until": "soon", "wait_s": 9, "exchanges": ["binance.com"]}',
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    assert after(path, 0) == ""
    assert after(banned(tmp_path), 0)


@given(st.binary(max_size=80))
def test_no_contents_of_the_file_prevent_a_start(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / FILE_NAME
    path.write_bytes(body)
    assert after(path, 0) == ""


def test_with_an_unwritable_folder_a_ban_still_holds_for_this_run(tmp_path: Path) -> None:
    clock = HandClock()
    for path in (tmp_path / "none" / FILE_NAME, tmp_path):
        ban = StoredBan(path, EXCHANGE, clock)
        assert ban.note(BANNED, 60, clock.monotonic_s())
        assert ban.left_s(clock.monotonic_s()) == 60
