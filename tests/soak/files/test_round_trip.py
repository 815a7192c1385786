"""The round trip through files in small, and that it would see what it is there to see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app.main import main
from app.market.file_format import FileFormat
from storage.postgres.connection import connect
from tests.program import set_surroundings, unchanged_process
from tests.servers import EMBEDDED, shared_server
from tests.soak.files.round_trip import (
    Ended,
    RoundTrip,
    candle_differences,
    trade_differences,
)
from tests.tables import our_tables

TRADES, CANDLES = 2_000, 300


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    with unchanged_process():
        yield


def test_trades_and_candles_come_back_through_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: Sequence[str], url: str) -> Ended:
        code = main([*arguments, "--database-url", url])
        printed = capsys.readouterr()
        return Ended(code, json.loads(printed.out), printed.err, 0.0, 0)

    lines: list[str] = []
    trip = RoundTrip(shared_server(EMBEDDED), tmp_path, command, lines.append)
    trip.run(TRADES, CANDLES, 200, [FileFormat.CSV, FileFormat.JSON, FileFormat.XLSX])
    assert trip.differences == []
    assert [line.rpartition(" ")[0].rpartition("; ")[2] for line in lines] == ["the"] * 6


def test_the_comparison_sees_every_damage(tmp_path: Path) -> None:
    server_url = shared_server(EMBEDDED)
    with our_tables(server_url) as source_url, our_tables(server_url) as target_url:
        for url in (source_url, target_url):
            RoundTrip(server_url, tmp_path).fill(url, TRADES, CANDLES)

        def found() -> list[str]:
            exact = candle_differences(source_url, target_url, CANDLES, is_rounded=False)
            rounded = candle_differences(source_url, target_url, CANDLES, is_rounded=True)
            trades = trade_differences(source_url, target_url, None)
            return [*trades, *exact, *(f"rounded: {one}" for one in rounded)]

        assert found() == []
        for number, (damage, seen) in enumerate(
            [
                ("UPDATE trades SET quantity = quantity + 1e-8 WHERE trade_id % 777 = 0", " trades are not among"),
                ("UPDATE coverage SET last_trade_id = last_trade_id + 1", "1 of 1 coverage"),
                ("DELETE FROM rollup_15m", " rollup_15m are not among the 0"),
                (
                    "UPDATE klines SET quote_volume = quote_volume + 1e-16 WHERE quote_volume > 1",
                    " candles are not among",
                ),
                ("UPDATE klines SET complete = NOT complete WHERE trades = 300", "rounded: 1 candles differ"),
            ],
            1,
        ):
            with connect(target_url) as connection:
                connection.execute(damage.encode())
            sentences = found()
            assert len(sentences) == number
            assert any(seen in one for one in sentences)
