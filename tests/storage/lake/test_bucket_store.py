"""What a bucket's store answers becomes one sentence, whatever numbers the key and the time have."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.market.errors import LakeError
from storage.lake import bucket_store
from storage.lake.address import parse_address
from storage.lake.bucket_store import BucketStore
from storage.lake.credentials import BucketAccess

KEY = "trades/broker=binance/symbol=BTCUSDT/date=2024-08-10/trades-507-301.parquet"


@contextmanager
def a_store_that_answers(status: int) -> Iterator[str]:
    """Serve that status to every PUT; yield the endpoint."""

    class Answer(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def failure_at(endpoint: str) -> str:
    store = BucketStore(parse_address("s3://bucket"), BucketAccess("key", "hush", None, endpoint))
    with pytest.raises(LakeError) as caught:
        store.put_new(KEY, b"rows")
    return str(caught.value)


@pytest.fixture(autouse=True)
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_store, "_RETRIES", 0)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (507, "is full: free some space"),
        (301, "lies in another region: set AWS_REGION."),
        (403, "may not do this"),
        (500, "failed: try again"),
    ],
)
def test_the_status_decides_the_sentence(status: int, words: str) -> None:
    with a_store_that_answers(status) as endpoint:
        assert words in failure_at(endpoint)


def test_a_store_that_is_away_is_not_a_full_one() -> None:
    assert "does not answer: check the network" in failure_at("http://127.0.0.1:9")


def test_a_folder_for_temporary_files_that_cannot_be_used_is_not_blamed_on_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    store = BucketStore(parse_address("s3://bucket"), BucketAccess("key", "hush", None, "http://127.0.0.1:9"))
    with (
        pytest.raises(LakeError, match=r"cannot be written to the folder for temporary files .* set TMPDIR"),
        store.local_file(KEY),
    ):
        raise AssertionError("the file was not fetched")
