"""By which key a bucket is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.market.errors import LakeError
from storage.lake.credentials import BucketAccess, bucket_access, bucket_of_r2

AWS = {"AWS_ACCESS_KEY_ID": "aws-key", "AWS_SECRET_ACCESS_KEY": "aws-hush"}
R2 = {"R2_ACCOUNT_ID": "account", "R2_ACCESS_KEY_ID": "r2-key", "R2_SECRET_ACCESS_KEY": "r2-hush"}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home with a profile of each kind."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = one\naws_secret_access_key = hush1\n"
        "[other]\naws_access_key_id = two\naws_secret_access_key = hush2\naws_session_token = t\n"
    )
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nregion = eu-west-1\n[profile other]\nregion = eu-west-2\nendpoint_url = https://s3.example.com\n"
    )
    return {"HOME": str(tmp_path)}


def test_the_environments_key_comes_before_the_profiles(home: dict[str, str]) -> None:
    found = bucket_access("b", "", {**home, **AWS, "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-central-1"})
    assert found == BucketAccess("aws-key", "aws-hush", "token", "", "eu-central-1")


def test_a_profile_brings_its_region_and_endpoint(home: dict[str, str]) -> None:
    assert bucket_access("b", "", home) == BucketAccess("one", "hush1", None, "", "eu-west-1")
    other = bucket_access("b", "", {**home, "AWS_PROFILE": "other"})
    assert other == BucketAccess("two", "hush2", "t", "https://s3.example.com", "eu-west-2")


def test_the_r2_variables_count_for_the_bucket_that_they_name(home: dict[str, str]) -> None:
    both = {**home, **AWS, **R2}
    assert bucket_access("b", "", {**both, "R2_BUCKET_NAME": "b"}) == BucketAccess(
        "r2-key", "r2-hush", None, "https://account.r2.cloudflarestorage.com", "auto"
    )
    assert bucket_access("b", "", {**both, "R2_BUCKET_NAME": "another"}).key_id == "aws-key"
    assert bucket_access("b", "", both).key_id == "aws-key"
    assert bucket_access("b", "", {**home, **R2, "R2_ENDPOINT": "https://r2.example.com/"}).endpoint == (
        "https://r2.example.com"
    )


def test_a_bucket_and_a_key_of_r2_are_a_lake() -> None:
    assert bucket_of_r2({**R2, "R2_BUCKET_NAME": "b"}) == "s3://b"
    assert bucket_of_r2(R2) == bucket_of_r2({"R2_BUCKET_NAME": "b"}) == ""


def test_r2_without_an_account_says_so(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="R2_ACCOUNT_ID"):
        bucket_access("b", "", {"HOME": str(tmp_path), **R2, "R2_ACCOUNT_ID": ""})


def test_the_setting_wins_over_every_other_endpoint(home: dict[str, str]) -> None:
    surroundings = {**home, **AWS, "AWS_ENDPOINT_URL": "https://one", "AWS_ENDPOINT_URL_S3": "https://two"}
    assert bucket_access("b", "https://three", surroundings).endpoint == "https://three"
    assert bucket_access("b", "", surroundings).endpoint == "https://two"


def test_the_keyring_is_asked_last(tmp_path: Path, home: dict[str, str]) -> None:
    kept = {"lake_access_key_id": "kept", "lake_secret_access_key": "kept-hush"}
    nobody = {"HOME": str(tmp_path / "nobody")}
    assert bucket_access("b", "", nobody, lambda name: kept[name]).key_id == "kept"
    assert bucket_access("b", "", home, lambda name: pytest.fail("asked")).key_id == "one"


def test_without_a_key_the_sentence_names_where_one_can_be(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"AWS_ACCESS_KEY_ID.*R2_ACCESS_KEY_ID.*credentials"):
        bucket_access("b", "", {"HOME": str(tmp_path)})


def test_another_programs_damaged_file_is_as_none(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_bytes(b"\xff\xfe not a file of settings")
    with pytest.raises(LakeError):
        bucket_access("b", "", {"HOME": str(tmp_path)})


def test_a_key_shows_nothing_of_itself() -> None:
    shown = repr(BucketAccess("key-id", "hush", "token"))
    assert not any(part in shown for part in ("key-id", "hush", "token="))
