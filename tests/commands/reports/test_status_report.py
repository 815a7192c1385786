"""The state of a database as JSON: every key, in order, with the values that programs read."""

from __future__ import annotations

import json
from dataclasses import replace

from app.commands.reports.status_report import spool_json, status_json
from app.market.coverage import IdRanges
from storage.integrity.status import Compression, DatabaseStatus, PartitionSummary, SymbolStatus, TableSize
from storage.postgres.connection import Edition, ServerFacts
from storage.spool.inspection import SpoolSummary

TIME_US = 1_723_161_255_250_000

STATUS = DatabaseStatus(
    facts=ServerFacts("17.6", Edition.TIMESCALE_COMMUNITY, "2.19.3"),
    address="postgresql://cryptopipe@/cryptopipe",
    version=12,
    program_version=12,
    latency_ms=0.123456,
    bytes=None,
    writable=False,
    tables=[TableSize("trades", None, False, 8192, 4096), TableSize("klines", 3, True, 1, 2)],
    parts=PartitionSummary("chunks", 2, TIME_US, None, 99),
    compression=Compression(2, 1000, 300),
    symbols=[SymbolStatus("BTCUSDT", 5, 4, 3, 2, 10, 16, TIME_US, None, 77)],
    refused=1,
    kept_from_us=TIME_US,
    tick_parts=PartitionSummary("chunks", 1, TIME_US, None, 7),
    tick_compression=Compression(1, 90, 10),
)

DOCUMENT = """{
  "server": "TimescaleDB Community 2.19.3 on PostgreSQL 17.6",
  "edition": "timescaledb community",
  "server_version": "17.6",
  "timescaledb_version": "2.19.3",
  "embedded": false,
  "address": "postgresql://cryptopipe@/cryptopipe",
  "latency_ms": 0.123,
  "schema_version": 12,
  "bytes": null,
  "writable": false,
  "symbols": [
    {
      "symbol": "BTCUSDT",
      "trades": 5,
      "stored_trades": 4,
      "ranges": 3,
      "gaps": 2,
      "missing": 2,
      "first_trade_id": 10,
      "last_trade_id": 16,
      "oldest": "2024-08-08T23:54:15.250000+00:00",
      "newest": null,
      "estimated_bytes": 77
    }
  ],
  "parts": {
    "kind": "chunks",
    "count": 2,
    "start": "2024-08-08T23:54:15.250000+00:00",
    "end": null,
    "largest_bytes": 99
  },
  "compression": {
    "chunks": 2,
    "before_bytes": 1000,
    "after_bytes": 300,
    "ratio": 3.33
  },
  "refused_trades": 1,
  "trades_kept_from": "2024-08-08T23:54:15.250000+00:00",
  "tables": [
    {
      "table": "trades",
      "rows": null,
      "exact": false,
      "data_bytes": 8192,
      "index_bytes": 4096,
      "total_bytes": 12288
    },
    {
      "table": "klines",
      "rows": 3,
      "exact": true,
      "data_bytes": 1,
      "index_bytes": 2,
      "total_bytes": 3
    }
  ],
  "tick_parts": {
    "kind": "chunks",
    "count": 1,
    "start": "2024-08-08T23:54:15.250000+00:00",
    "end": null,
    "largest_bytes": 7
  },
  "tick_compression": {
    "chunks": 1,
    "before_bytes": 90,
    "after_bytes": 10,
    "ratio": 9.0
  }
}"""


def test_the_whole_state_is_one_document_with_these_keys_in_this_order() -> None:
    assert json.dumps(status_json(STATUS), indent=2) == DOCUMENT


def test_what_is_not_known_or_not_there_is_null() -> None:
    plain = replace(
        STATUS,
        facts=ServerFacts("17.6", Edition.PLAIN, embedded=True),
        compression=None,
        kept_from_us=None,
        tick_parts=None,
        tick_compression=None,
    )
    document = status_json(plain)
    assert document["tick_parts"] is document["tick_compression"] is None
    assert (document["timescaledb_version"], document["compression"], document["trades_kept_from"]) == (None,) * 3
    assert (document["edition"], document["embedded"]) == ("plain", True)
    assert list(document) == list(json.loads(DOCUMENT))


def test_the_trades_spooled_on_disk_are_counted_by_symbol_each_once() -> None:
    summary = SpoolSummary(5, {"ETHUSDT": IdRanges([(1, 2)]), "BTCUSDT": IdRanges([(7, 7)])}, TIME_US, None, "")
    assert json.dumps(spool_json(summary)) == (
        '{"trades": 5, "first": "2024-08-08T23:54:15.250000+00:00", "last": null, '
        '"symbols": {"BTCUSDT": 1, "ETHUSDT": 2}, "problem": null}'
    )
