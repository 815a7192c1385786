"""What the editor's small chart shows of a drawing that a draft waits for."""

from __future__ import annotations

import pytest

from app.market.alerts.language import read_rule
from app.market.candle import Candle
from app.market.units import E8
from app.window.alerts.draft_judge import paths_of

ID = "6f1c0c52-98a4-4a6e-9f0e-0b8a3f8f2a11"


def candle(open_us: int) -> Candle:
    return Candle(open_us, 100 * E8, 120 * E8, 90 * E8, 110 * E8, 0, 0, 1, 0, 0)


CANDLES = [candle(open_us) for open_us in (100, 200, 300)]


@pytest.mark.parametrize(
    ("parts", "paths"),
    [
        ("100@0,140@400,,", [[(100, 110.0), (300, 130.0)]]),
        ("100@0,140@400,150,250", [[(150, 115.0), (250, 125.0)]]),
        ("100@0,140@400,0,90", []),
        ("100@0,140@400,310,", []),
        ("100@0>110@200>90@1000", [[(100, 105.0), (200, 110.0), (300, 107.5)]]),
        ("@200", [[(200, 90.0), (200, 120.0)]]),
        ("@90", []),
        ("100@0,100@1,,;105@0,105@1,,", [[(100, 100.0), (300, 100.0)], [(100, 105.0), (300, 105.0)]]),
    ],
)
def test_lines_are_shown_where_the_candles_are(parts: str, paths: list) -> None:
    assert paths_of(read_rule(f"price crosses drawing {ID} along {parts}"), CANDLES) == paths


def test_a_condition_on_no_drawing_has_none() -> None:
    assert paths_of(read_rule("price crosses 100"), CANDLES) == []
    assert paths_of(read_rule(f"price crosses drawing {ID} along @1"), []) == []
