"""``cryptopipe lake candles`` on a bucket of a real S3-compatible server: days, and a month file of another tool."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from app.main import main
from tests.commands.lake.conftest import TRADES, Place
from tests.object_server import ObjectServer
from tests.storage.lake.trades import lake_batch

RANGE = ("--from", "2024-08-11", "--to", "2024-08-13")


def test_days_and_a_month_file_give_what_the_database_exports(
    place: Place, object_server: ObjectServer, tmp_path: Path
) -> None:
    object_server.make_bucket("candles")
    place.use(object_server.variables("candles", "some/prefix"))
    assert place.run("push")[0] == 0
    made, wanted = tmp_path / "made.csv", tmp_path / "wanted.csv"
    assert place.run("candles", "BTCUSDT", "13m", *RANGE, "--out", made)[0] == 0
    assert main(["export", "BTCUSDT", "13m", "--stored", *RANGE, "--out", str(wanted)]) == 0
    place.capsys.readouterr()
    assert made.read_bytes() == wanted.read_bytes()
    place.use(object_server.variables("candles", "others"))
    content = io.BytesIO()
    pq.write_table(pa.Table.from_batches([lake_batch(TRADES)]), content)
    object_server.put("candles", "others/trades/BTCUSDT/2024-08.parquet", content.getvalue())
    assert place.run("candles", "BTCUSDT", "13m", *RANGE, "--out", made)[0] == 0
    assert made.read_bytes() == wanted.read_bytes()
