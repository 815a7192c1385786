"""Commands that are refused before they run: one sentence, and no file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.main import main

pytestmark = pytest.mark.usefixtures("surroundings")


@pytest.mark.parametrize(
    "arguments",
    [
        ["collect", "--for", "soon"],
        ["collect", "--for", "99999999999d"],
        ["collect", "--binance-ws-url", "example"],
        ["collect", "--binance-rest-url", "ftp://x"],
        ["export", "BTCUSDT", "5x", "--out", "a.csv"],
        ["export", "BTCUSDT", "1m", "--out", "a.txt"],
        ["export", "BTCUSDT", "1m", "--from", "noon", "--out", "a.csv"],
        ["export", "BTCUSDT", "1m", "--from", "2024-02-02", "--to", "2024-02-01", "--out", "a.csv"],
        ["export", "BTCUSDT", "1m", "--out", "a.csv"],  # nothing is recorded yet
        ["gaps", "oanda:EURUSD"],
        ["db", "compare", "oanda:EURUSD", "1m", "--from", "2026-07-08T10:00", "--to", "2026-07-08T11:00"],
        ["history", "oanda:EURUSD", "quotes", "--days", "1"],
        ["history", "oanda:EURUSD", "trades", "--days", "1"],
        ["sandbox", "--history", "long"],
        ["sandbox", "--history", "999999999d"],
        ["sandbox", "--history", "9" * 5000 + "d"],
        ["sandbox", "--rate", "0"],
        ["sandbox", "--port", "70000"],
        ["sandbox", "--replay", "no-such-file.gz"],
        ["sandbox", "--replay", "x", "--speed", "fast"],
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_a_refused_command_is_one_sentence_and_makes_no_file_at_all(
    arguments: list[str],
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"cryptopipe: .+\.\n", printed.err)
    assert list(tmp_path.rglob("*")) == []
    assert not data_dir.exists()
