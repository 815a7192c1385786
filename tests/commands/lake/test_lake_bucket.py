"""``cryptopipe lake`` on a bucket of a real S3-compatible server, with keys."""

from __future__ import annotations

import itertools

import pytest

from tests.commands.lake.conftest import DAYS, INSIDE, Place
from tests.object_server import SECRET, ObjectServer, requests_to

_numbers = itertools.count(1)


@pytest.fixture
def bucket(object_server: ObjectServer, place: Place) -> str:
    """An empty bucket, in which the program has its lake, under a prefix."""
    name = f"lake-{next(_numbers)}"
    object_server.make_bucket(name)
    place.use(object_server.variables(name, "some/prefix"))
    return name


def test_days_go_there_and_come_back_and_a_second_push_sends_nothing(
    place: Place, bucket: str, object_server: ObjectServer
) -> None:
    assert [one["date"] for one in place.document("push")[1]["pushed"]] == DAYS
    found = object_server.contents(bucket)
    assert len(found) == 6
    assert all(key.startswith("some/prefix/trades/broker=binance/symbol=BTCUSDT/date=2024-08-1") for key in found)
    with requests_to(object_server.endpoint) as seen:
        place.use({"CRYPTOPIPE_LAKE_ENDPOINT": seen.endpoint})
        assert place.document("push")[1]["there"] == 3
        assert {method for method, _ in seen.seen} == {"GET"}
    assert object_server.contents(bucket) == found
    place.use({"CRYPTOPIPE_LAKE_ENDPOINT": object_server.endpoint})
    assert place.run("verify")[::2] == (0, "")
    assert place.document("list")[1]["series"][0]["rows"] == 1_200
    place.use_empty_database()
    assert place.document("pull")[1]["stored"] == 1_200
    assert place.stored() == INSIDE


def test_each_part_is_one_put_that_replaces_nothing(place: Place, bucket: str, object_server: ObjectServer) -> None:
    with requests_to(object_server.endpoint) as seen:
        place.use({"CRYPTOPIPE_LAKE_ENDPOINT": seen.endpoint})
        place.run("push")
        written = [path for method, path in seen.seen if method != "GET"]
        assert {method for method, _ in seen.seen} == {"GET", "PUT"}
    assert len(written) == len(set(written)) == 6
    assert not any("uploads" in path or "partNumber" in path for path in written)


def test_other_data_in_the_way_stays(place: Place, bucket: str, object_server: ObjectServer) -> None:
    place.run("push", "BTCUSDT", "--from", "2024-08-10", "--to", "2024-08-11")
    for key in object_server.contents(bucket):
        object_server.remove(bucket, key)
    (name,) = [key.rpartition("/")[2] for key in ("trades-900-1299.parquet",)]
    key = f"some/prefix/trades/broker=binance/symbol=BTCUSDT/date=2024-08-10/{name}"
    object_server.put(bucket, key, b"not ours")
    code, _, complaints = place.run("push")
    assert (code, complaints.count("\n")) == (1, 1)
    assert "holds other rows than the database" in complaints
    assert object_server.contents(bucket) == {key: b"not ours"}


def test_wrong_keys_are_one_sentence_each_and_tell_no_secret(
    place: Place, bucket: str, object_server: ObjectServer
) -> None:
    wrong = [
        {"AWS_SECRET_ACCESS_KEY": "wrong-hush"},
        {"AWS_ACCESS_KEY_ID": "unknown-id"},
        {"AWS_ACCESS_KEY_ID": ""},
        object_server.reader_variables(),
    ]
    for variables in wrong:
        place.use(object_server.variables(bucket, "some/prefix") | variables)
        code, printed, complaints = place.run("push")
        assert (code, printed, complaints.count("\n")) == (1, "", 1), complaints
        assert not any(secret in complaints for secret in (SECRET, "hush", "reader-secret"))
        assert "key for the bucket" in complaints, complaints
    assert object_server.contents(bucket) == {}
    logs = [path.read_text() for path in (place.folder.parent / "data").rglob("*.log*")]
    assert any("failed:" in text for text in logs)
    for secret in (SECRET, "hush", "reader-secret", "unknown-id"):
        assert not any(secret in text for text in logs)


def test_a_bucket_that_is_not_there_and_one_that_vanishes_are_one_sentence(
    place: Place, bucket: str, object_server: ObjectServer
) -> None:
    place.run("push", "BTCUSDT", "--from", "2024-08-10", "--to", "2024-08-11")
    object_server.remove_bucket(bucket)
    for command in ("push", "pull", "list", "verify"):
        code, printed, complaints = place.run(command)
        assert (code, printed, complaints.count("\n")) == (1, "", 1), complaints
        assert f"There is no bucket {bucket}" in complaints
    object_server.make_bucket(bucket)
    assert place.run("push")[0] == 0
    assert place.run("verify")[0] == 0


def test_a_store_that_does_not_answer_is_one_sentence(place: Place, bucket: str) -> None:
    place.use({"CRYPTOPIPE_LAKE_ENDPOINT": "http://127.0.0.1:9"})
    code, printed, complaints = place.run("list")
    assert (code, printed, complaints.count("\n")) == (1, "", 1)
    assert "does not answer: check the network and the endpoint" in complaints


def test_the_r2_variables_alone_are_a_lake(
    place: Place, bucket: str, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in object_server.variables(bucket).items():
        monkeypatch.delenv(name)
        known = {"AWS_ACCESS_KEY_ID": "R2_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "R2_SECRET_ACCESS_KEY"}
        if name in known:
            place.use({known[name]: value})
    place.use({"R2_ENDPOINT": object_server.endpoint, "R2_BUCKET_NAME": bucket, "R2_ACCOUNT_ID": "account"})
    assert place.document("push", "BTCUSDT")[1]["lake"] == f"s3://{bucket}"
    assert len(object_server.contents(bucket)) == 6
