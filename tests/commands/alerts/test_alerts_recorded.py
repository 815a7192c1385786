"""Alerts while real recorders run: killed, several at once, and with alerts added meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.main import main
from app.sandbox.server.server import SandboxServer
from tests.commands.alerts.test_alerts import document
from tests.commands.play import Play
from tests.program import exchange, needs_signals, point_to, started, wait_for

KILLS = int(os.environ.get("ALERT_KILLS", "2"))  # make alertcrash has 100
pytestmark = needs_signals


@pytest.fixture
def server(play: Play, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    monkeypatch.setenv("CRYPTOPIPE_SYMBOLS", "BTCUSDT")
    with exchange() as made:
        point_to(made, monkeypatch)
        yield made


def add(play: Play, when: str, repeat: str = "every") -> int:
    return int(document(play, "add", "BTCUSDT", "--when", when, "--repeat", repeat)["id"])


def firings(play: Play, alert_id: int) -> list[dict[str, Any]]:
    return [firing for one in document(play, "list") if one["id"] == alert_id for firing in one["firings"]]


def has_firings(play: Play, alert_id: int, count: int) -> bool:
    return len(firings(play, alert_id)) >= count


def has_live_firing_after(play: Play, alert_id: int, trade_id: int, count: int) -> bool:
    """Whether more than ``count`` firings are final, one of them live and by a trade after ``trade_id``."""
    final = [one for one in firings(play, alert_id) if not one["provisional"]]
    return len(final) > count and any(not one["late"] and one["trade_id"] > trade_id for one in final)


def micros(time_text: str) -> int:
    return round(datetime.fromisoformat(time_text).timestamp() * 1e6)


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    said = process.communicate(timeout=60)
    assert process.returncode == 0, said


def draw(play: Play, price: float, time_us: int) -> list[int]:
    """
    Draw levels around a price, a zigzag by hand from a time on, and a vertical line; return alerts on them.

    The line stands some seconds ahead of now, so that its alert is there before it is crossed.
    """
    line_us = time.time_ns() // 1_000 + 12_000_000
    levels = [1 + (at - 25) / 10_000 for at in range(50)]
    style = {"levels": levels, "extend": "both"}
    zigzag = [[time_us + at * 1_000_000, price * (1 + (-1) ** at / 5_000)] for at in range(3_600)]
    kinds = {
        "fibonacci_retracement": ([[0, price], [1, 0.0]], style),
        "freehand": (zigzag, {}),
        "vertical_line": ([[line_us, price]], {}),
    }
    drawings = [
        {"id": str(uuid.uuid4()), "symbol": "BTCUSDT", "kind": kind, "anchors": anchors, "style": style}
        for kind, (anchors, style) in kinds.items()
    ]
    path = play.folder / "drawings.json"
    path.write_text(json.dumps({"format": "cryptopipe-drawings", "version": 1, "drawings": drawings}))
    assert main(["drawings", "import", str(path)]) == 0
    play.capsys.readouterr()
    return [add(play, f"price crosses drawing {one['id']}") for one in drawings]


def test_an_alert_from_before_the_first_recording_outlives_kills(play: Play, server: SandboxServer) -> None:
    first = add(play, "moves 0.001% in 10s")
    once = add(play, "moves 0.001% in 10s", "once")
    drawn = list[int]()
    for kill in range(KILLS):
        with started("collect") as process:
            wait_for(partial(has_firings, play, first, 4 * (kill + 1)), process)
            process.kill()
            process.wait()
        if not drawn:
            last = firings(play, first)[-1]
            drawn = draw(play, float(last["price"]), micros(last["time"]))
    last_id = firings(play, first)[-1]["trade_id"]
    with started("collect") as process:
        wait_for(partial(has_live_firing_after, play, first, last_id, 4 * KILLS), process)
        added_s = time.monotonic()
        later = add(play, "moves 0.001% in 10s")
        wait_for(lambda: firings(play, later), process)
        assert time.monotonic() - added_s < 20  # some seconds, and more on a busy machine
        document(play, "remove", later)
        wait_for(lambda: firings(play, drawn[2]), process)
        stop(process)
    report = document(play, "verify")
    assert (report["missed"], report["doubled"], report["invented"]) == (0, 0, 0)
    kept = firings(play, first)
    assert len(firings(play, once)) == 1
    crossed = [len(firings(play, one)) for one in drawn]
    assert crossed[2] == 1  # the vertical line
    assert min(crossed[:2]) > 0
    assert report["firings"] + report["provisional"] == len(kept) + 1 + sum(crossed)
    assert report["firings"] > 4 * KILLS + 1
    assert not firings(play, later)


def test_two_recorders_keep_each_firing_once(play: Play, server: SandboxServer, tmp_path: Path) -> None:
    first = add(play, "moves 0.001% in 10s", "candle")
    second = add(play, "moves 0.001% in 10s")
    with started("collect") as one, started("collect", CRYPTOPIPE_DATA_DIR=str(tmp_path / "other")) as other:
        wait_for(lambda: len(firings(play, second)) > 3 and firings(play, first), one)
        other.kill()
        other.wait()
        count = len(firings(play, second))
        wait_for(lambda: len(firings(play, second)) > count + 1, one)
        stop(one)
    report = document(play, "verify")
    assert (report["missed"], report["doubled"], report["invented"]) == (0, 0, 0)
    assert report["firings"] >= 4


def test_a_lost_feed_and_the_gap_after_it_are_told_with_their_reason(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_SYMBOLS", "BTCUSDT")
    lost = int(document(play, "add", "all", "--when", "feed lost for 1s", "--repeat", "every")["id"])
    price = add(play, "moves 0.001% in 10s")
    with contextlib.ExitStack() as stack:
        with exchange() as made:
            point_to(made, monkeypatch)
            process = stack.enter_context(started("collect"))
            wait_for(lambda: firings(play, price), process)
            assert not firings(play, lost)
        wait_for(lambda: firings(play, lost), process)
        stop(process)
    (found, *_) = firings(play, lost)
    assert found["trade_id"] is None
    assert found["reason"]
    report = document(play, "verify")
    assert (report["missed"], report["doubled"], report["invented"]) == (0, 0, 0)
    assert report["unproven"] >= 1
