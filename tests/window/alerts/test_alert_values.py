"""Alerts in words, rows and lines."""

from __future__ import annotations

import pytest

from app.market.alerts.alert import Direction, Firing, Incident, Pause, Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import AlertState, StoredAlert, StoredFiring, StoredIncident
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.symbol import Symbol
from app.market.units import E8
from app.window.alerts import alert_values as values
from app.window.alerts import alert_words as words
from app.window.alerts import drawing_words

XRP = Symbol("XRPUSDT", "XRP", "USDT", E8 // 10_000)
DAY_US = 86_400_000_000


def alert(rule: str, **more: object) -> StoredAlert:
    fields = {"repeat": Repeat.EVERY, "name": "", "note": "", "expires_us": None}
    fields |= {"start_id": 1, "warm_from_id": 1, "judged_to": 1, "alert_id": 7, "symbol": "XRPUSDT"}
    return StoredAlert(rule=read_rule(rule), **{**fields, **more})  # type: ignore[arg-type]  # because of the dict


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("price crosses up 0.618", "Price crosses 0.6180 upwards"),
        ("price crosses 0.61801", "Price crosses 0.61801"),
        ("price enters 0.6 to 0.7", "Price enters 0.6000 to 0.7000"),
        ("moves down 2% in 15m", "Price moves by 2 % within 15m downwards"),
        ("volume > 3x average 20 of 5m", "Volume of 5m above 3 times the average of 20"),
        ("rsi:14 of 1h crosses up 70", "RSI 14 of 1h crosses 70 upwards"),
        ("ema:20 of 1h crosses ema:50", "EMA 20 of 1h crosses EMA 50"),
        ("trades missing", "Trades missing for 10s"),
    ],
)
def test_a_condition_in_words(rule: str, text: str) -> None:
    assert words.condition_text(read_rule(rule), XRP) == text


def test_a_row_says_what_it_is_and_how_far_away() -> None:
    row = values.row_of(alert("price crosses up 0.618 of 5m", repeat=Repeat.CANDLE, name="Up"), XRP, 61_000_000, 3, 0)
    assert (row.title, row.words) == ("Up", "Price crosses 0.6180 upwards, once per candle of 5m")
    assert (row.state, row.fired, row.ends) == (AlertState.WAITING, 3, "never")
    assert row.distance == pytest.approx(1.3115, abs=1e-4)
    near = values.row_of(alert("price leaves 0.6 to 0.7"), XRP, 61_000_000, 0, 0)
    assert near.distance == pytest.approx(-1.639, abs=1e-3)
    assert values.row_of(alert("moves 2% in 5m"), XRP, 61_000_000, 0, 0).distance is None
    paused = alert("price crosses 1", pauses=(Pause(1),), expires_us=30 * DAY_US)
    assert values.row_of(paused, XRP, None, 0, 0).state is AlertState.PAUSED
    assert words.end_text(30 * DAY_US) == "31 Jan 1970"


def test_lines_are_at_prices_and_a_dropped_one_changes_its_alert() -> None:
    crossing, ranged = alert("price crosses down 0.6 of 5m"), alert("price leaves 0.6 to 0.7")
    (line,) = values.lines_of([crossing, alert("moves 2% in 5m")])
    assert (line.price, line.text, line.detail) == (0.6, "Crosses down", "every time")
    assert values.moved(crossing, line, 0.55).rule == read_rule("price crosses down 0.55 of 5m")
    low, high = values.lines_of([ranged])
    assert (low.edge, high.edge) == ("low", "high")
    assert values.moved(ranged, low, 0.65).rule == read_rule("price leaves 0.65 to 0.7")
    assert values.moved(ranged, low, 0.75).rule == read_rule("price leaves 0.7 to 0.75")


def test_history_has_all_firings_the_newest_first_with_reasons_and_lateness() -> None:
    first = StoredFiring(5, DAY_US, 61_810_000, Direction.UP, True, False, "0.618, then 0.6181", DAY_US + 180_000_000)
    second = StoredFiring(9, 2 * DAY_US, 61_900_000, Direction.UP, False, True)
    now = alert("price crosses 0.62", firings=[second], name="Now")
    was = alert("price crosses 0.618", firings=[first], alert_id=8, replaced_by=7, ends_at=6, name="Was")
    gap = StoredIncident("XRPUSDT", 3 * DAY_US, "2 trades missing", 3, 4)
    trouble = alert("trades missing", symbol="", incidents=[gap], alert_id=9)
    rows = values.history_of([now, was, trouble], lambda name: XRP if name else None, 9 * DAY_US)
    assert [(row.trade_id, row.why, row.late, row.is_provisional) for row in rows] == [
        (None, "2 trades missing", "", False),
        (9, "up", "", True),
        (5, "0.618, then 0.6181", "3 min late", False),
    ]
    assert [row.alert_id for row in rows] == [9, 7, 7]
    assert values.fired_counts([now, was, trouble], {7: 2, 8: 40}) == {7: 42, 9: 0}


def test_a_reason_has_thousands_separators_in_its_figures_alone() -> None:
    assert words.with_separators("62161.16, then 62170") == "62,161.16, then 62,170"
    assert words.with_separators("sma_2000 61500.5 after 0.123456") == "sma_2000 61,500.5 after 0.123456"
    assert words.with_separators("+2.11 % in 14 min") == "+2.11 % in 14 min"
    assert words.with_separators("1,204 trades missing") == "1,204 trades missing"


def test_a_toast_says_what_happened() -> None:
    firing = Firing(7, 612_904_118, 22_361_207_000, 61_810_000, Direction.UP, "0.618, then 0.6181")
    toast = values.toast_of(alert("price crosses up 0.618", name="Break"), firing, XRP, late=False, more=0)
    assert toast.title == "XRP/USDT above 0.6180"
    assert toast.where == "0.6181 at 06:12:41.207 UTC"
    assert toast.by == "trade 612,904,118 · every time"
    late = values.toast_of(alert("price crosses up 0.618"), firing, XRP, late=True, more=12)
    assert late.by == "trade 612,904,118 · late · and 12 more"
    incident = Incident(7, "XRPUSDT", 0, "2 trades missing", 3, 4)
    gap = values.toast_of(alert("trades missing"), incident, XRP, late=False, more=0)
    assert (gap.title, gap.where) == ("XRP/USDT: trades missing", "2 trades missing")


def drawing(kind: DrawingKind, *anchors: Anchor, text: str = "") -> Drawing:
    return Drawing(LINE_ID, "XRPUSDT", kind, anchors, text=text)


LINE_ID = "6f1c0c52-98a4-4a6e-9f0e-0b8a3f8f2a11"
LINE = f"price crosses up drawing {LINE_ID} along 0.6@0,0.7@1000000,0,2000000"


@pytest.mark.parametrize(
    ("drawn", "title"),
    [
        (drawing(DrawingKind.TREND_LINE, Anchor(0, 0.6), Anchor(9, 0.7)), "Trend line, 0.6000 to 0.7000"),
        (drawing(DrawingKind.RAY, Anchor(0, 0.6), Anchor(9, 0.7), text="Third\ntest"), "Ray “Third test”"),
        (drawing(DrawingKind.HORIZONTAL_LINE, Anchor(0, 0.61)), "Horizontal line at 0.6100"),
        (
            drawing(DrawingKind.VERTICAL_LINE, Anchor(1_795_845_600_000_000, 0.61)),
            "Vertical line at 28 Nov 2026 06:00 UTC",
        ),
        (drawing(DrawingKind.NOTE, Anchor(0, 0.61), text="x" * 60), f"Note “{'x' * 39}…”"),
    ],
)
def test_a_drawing_is_called_by_its_text_or_its_place(drawn: Drawing, title: str) -> None:
    assert drawing_words.title_of(drawn, XRP) == title


def test_an_alert_on_a_drawing_is_told_by_the_drawings_name() -> None:
    on_line, line = alert(LINE), drawing(DrawingKind.TREND_LINE, Anchor(0, 0.6), Anchor(9, 0.7))
    row = values.row_of(on_line, XRP, 61_000_000, 0, 500_000, line)
    assert (row.title, row.words) == ("Trend line, 0.6000 to 0.7000", "Price crosses it upwards, every time")
    named = alert(LINE, name="Third test")
    assert words.words_of(named, XRP, line) == "Price crosses the trend line, 0.6000 to 0.7000 upwards, every time"
    moment = drawing(DrawingKind.VERTICAL_LINE, Anchor(0, 0.6))
    assert words.words_of(alert(LINE.replace("up ", "")), XRP, moment) == "First trade from then on, every time"
    assert row.icon == "draw-trend-line"
    assert row.distance == pytest.approx(100 * (0.65 - 0.61) / 0.61)
    assert values.row_of(on_line, XRP, 61_000_000, 0, 3_000_000, line).distance is None  # beyond its end
    assert words.condition_text(on_line.rule, XRP) == "Price crosses a drawing upwards"
    gone = alert(f"price crosses drawing {LINE_ID}")
    assert words.condition_text(gone.rule, XRP) == "Price crosses a drawing that was removed"
    firing = Firing(7, 3, 500_000, 65_000_000, Direction.DOWN)
    toast = values.toast_of(on_line, firing, XRP, line, late=False)
    assert toast.title == "XRP/USDT below the trend line, 0.6000 to 0.7000"
    assert values.drawings_watched([on_line, gone, alert("price crosses 1")]) == {LINE_ID: 2}


def test_a_text_is_not_offered_and_the_topmost_comes_first() -> None:
    text = drawing(DrawingKind.TEXT, Anchor(0, 0.6), text="Here")
    line = drawing(DrawingKind.TREND_LINE, Anchor(0, 0.6), Anchor(9, 0.7))
    moment = drawing(DrawingKind.VERTICAL_LINE, Anchor(0, 0.6))
    offered = drawing_words.choices_of([line, text, moment], XRP)
    assert [(one.icon, one.has_sides) for one in offered] == [("draw-vertical-line", False), ("draw-trend-line", True)]
