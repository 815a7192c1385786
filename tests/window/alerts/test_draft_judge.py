"""What the editor says of a draft, and what its small chart shows of a drawing that one waits for."""

from __future__ import annotations

import pytest

from app.market.alerts.alert import Direction, Firing
from app.market.alerts.language import read_rule
from app.market.candle import Candle
from app.market.ports.alerts import Draft
from app.market.units import E8
from app.window.alerts.draft_judge import draft_view, paths_of

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


def test_figures_of_a_draft_have_separators_as_those_of_the_chart() -> None:
    rule = read_rule("price crosses 56857.39")
    fired = Firing(0, 3_274_115_935, 0, 5_685_481_000_000, Direction.DOWN, "56861.14, then 56854.81")
    view = draft_view(rule, Draft([fired], 0, 60_000_000, 7, rule), CANDLES)
    assert view.detail == "Last at 00:00:00 by trade 3,274,115,935: 56,861.14, then 56,854.81."
