"""A manifest is read as it was written, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import LakeDamaged
from storage.lake.manifest import Manifest, Part, read_manifest
from storage.lake.partition import LakeKind, Partition

DAY = Partition(LakeKind.TRADES, "BTCUSDT", "2024-08-09")
PARTS = (Part("trades-5-9.parquet", 4, 5, 9, 812, "ab" * 32), Part("trades-10-11.parquet", 2, 10, 11, 70, "cd" * 32))
MANIFEST = Manifest(DAY, 6, 5, 11, "complete", "binance", "0.1.0", PARTS, ((7, 7),))


@pytest.mark.parametrize(
    "manifest",
    [
        MANIFEST,
        Manifest(DAY, 0, None, None, "complete", "binance", "0.1.0", ()),
        Manifest(Partition(LakeKind.QUOTES, "oanda:EURUSD", "2024-08-09"), 0, None, None, "sampled", "oanda", "1", ()),
        Manifest(Partition(LakeKind.CANDLES, "BTCUSDT", "2024", "1m"), 0, None, None, "complete", "binance", "1", ()),
    ],
)
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert read_manifest(manifest.partition, manifest.content()) == manifest


@given(at=st.integers(0, len(MANIFEST.content()) - 1), bit=st.integers(0, 7))
def test_any_changed_bit_is_found(at: int, bit: int) -> None:
    content = bytearray(MANIFEST.content())
    content[at] ^= 1 << bit
    with pytest.raises(LakeDamaged) as caught:
        read_manifest(DAY, bytes(content))
    assert caught.value.path == DAY.manifest_key
    assert DAY.manifest_key in str(caught.value)


@given(cut=st.integers(0, len(MANIFEST.content()) - 1))
def test_a_manifest_that_ends_early_is_found(cut: int) -> None:
    with pytest.raises(LakeDamaged):
        read_manifest(DAY, MANIFEST.content()[:cut])


def test_a_manifest_of_another_day_is_none_of_this_one() -> None:
    with pytest.raises(LakeDamaged):
        read_manifest(DAY._replace(period="2024-08-10"), MANIFEST.content())


def test_a_manifest_of_a_newer_program_says_so() -> None:
    with pytest.raises(LakeDamaged, match="newer cryptopipe"):
        read_manifest(DAY, MANIFEST.content().replace(b'"format": 1', b'"format": 2'))
