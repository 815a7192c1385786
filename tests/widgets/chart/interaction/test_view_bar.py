"""The bar under the chart: what it does, what it shows to be in force, and what leaves it where it is narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, canvas_of, price_range, series_of, settle, zigzag
from tests.widgets.cleanup import close_and_delete
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.view_bar import ViewBar
from widgets.chart.model.time_range import TimeRange
from widgets.chart.popups.date_entry import DateEntry
from widgets.chart.popups.zone_picker import ZonePicker
from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import UTC_ZONE
from widgets.keys import key_text
from widgets.theme import style, text_size
from widgets.theme.palettes import DARK

COMMANDS = ("date", "zoom_out", "zoom_in", "fit", "latest", "percent", "log")


def buttons(bar: ViewBar) -> dict[str, QAbstractButton]:
    ranges = {time_range.command: button for time_range, button in bar.ranges.items()}
    return {**ranges, "date": bar.date, **bar.steps, **bar.scales, "automatic": bar.automatic}


def press(part: QWidget) -> None:
    QTest.mouseClick(part, Qt.MouseButton.LeftButton)


def test_each_button_names_its_command_and_its_key(chart: ChartWidget) -> None:
    for command, button in buttons(chart.bar).items():
        assert button.accessibleName()
        assert button.toolTip().endswith(f"({key_text(command)})")


def test_the_steps_zoom_go_to_the_latest_candle_and_back_to_the_usual_view(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    bar, usual = chart.bar, chart.slots_in_view
    press(bar.steps["zoom_out"])
    settle(qtbot, chart)
    assert chart.slots_in_view > usual
    press(bar.steps["zoom_in"])
    press(bar.steps["zoom_in"])
    settle(qtbot, chart)
    assert chart.slots_in_view < usual
    at_latest = icon_of(bar.steps["latest"])
    chart.navigator.pan(3000)
    settle(qtbot, chart)
    assert not chart.is_following
    assert icon_of(bar.steps["latest"]) != at_latest
    press(bar.steps["latest"])
    settle(qtbot, chart)
    assert chart.is_following
    assert icon_of(bar.steps["latest"]) == at_latest
    press(bar.steps["fit"])
    assert chart.slots_in_view == pytest.approx(usual)


def icon_of(button: QAbstractButton) -> bytes:
    image = button.icon().pixmap(16).toImage()
    return image.constBits().tobytes()


def test_the_scale_in_force_is_ticked_however_it_was_chosen(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    bar, canvas = chart.bar, canvas_of(chart)

    def ticked() -> list[str]:
        settle(qtbot, chart)
        return [name for name, button in buttons(bar).items() if button.isChecked()]

    assert ticked() == ["automatic"]
    press(bar.scales["log"])
    assert (ticked(), chart.chart_style.scale_mode) == (["log", "automatic"], ScaleMode.LOG)
    QTest.keyClick(canvas, Qt.Key.Key_P, Qt.KeyboardModifier.AltModifier)
    assert ticked() == ["percent", "automatic"]
    press(bar.scales["percent"])
    assert (ticked(), chart.chart_style.scale_mode) == (["automatic"], ScaleMode.LINEAR)
    before = price_range(chart)
    press(bar.automatic)
    assert ticked() == []
    assert price_range(chart) == pytest.approx(before)
    press(bar.automatic)
    assert ticked() == ["automatic"]
    chart.navigator.stretch("price", 2.0)
    assert ticked() == []
    chart.restore_appearance({"style": {"price scale": "logarithmic"}})
    assert ("log" in ticked()) == (chart.chart_style.scale_mode is ScaleMode.LOG)


def test_a_date_and_a_zone_are_chosen_from_the_bar(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    press(chart.bar.date)
    entry = chart.findChild(DateEntry)
    assert entry.isVisible()
    entry.dismiss()
    press(chart.bar.zone)
    picker = chart.findChild(ZonePicker)
    assert picker.isVisible()
    assert picker.geometry().bottom() <= chart.bar.geometry().top() + style.px(8)
    picker.dismiss()


# Room


@pytest.fixture(scope="module")
def bar(prepared: QApplication) -> Iterator[ViewBar]:
    """A bar by itself, for tests that change its width and the size of its text."""
    holder = QWidget()  # a window itself would be as wide as its parts
    holder.setStyleSheet(style.stylesheet(DARK))
    holder.resize(1400, 100)
    made = ViewBar(holder)
    made.set_zone(UTC_ZONE, 0)
    holder.show()
    yield made
    text_size.set_percent(100)
    close_and_delete(holder)


def set_room(bar: ViewBar, width: int, percent: int = 100) -> None:
    text_size.set_percent(percent)
    bar.resize(width, bar.height())
    for _ in range(4):
        QApplication.processEvents()


def parts_of(bar: ViewBar) -> list[QWidget]:
    parts = [part for part in bar.findChildren(QWidget) if isinstance(part, QAbstractButton | QLabel)]
    return [part for part in parts if part.isVisible()]


def place(bar: ViewBar, part: QWidget) -> QRect:
    return QRect(part.mapTo(bar, QPoint()), part.size())


def offered(bar: ViewBar) -> dict[str, QAction]:
    return {action.text(): action for action in bar.overflow.actions()}


@pytest.mark.parametrize("percent", [100, 150, 200])
def test_at_every_width_parts_are_whole_and_in_the_bar_or_in_its_menu(bar: ViewBar, percent: int) -> None:
    in_bar: set[str] = set()
    for width in range(150, 2000, 25):
        set_room(bar, width, percent)
        shown = parts_of(bar)
        for number, part in enumerate(shown):
            assert bar.rect().contains(place(bar, part)), (width, part.accessibleName())
            assert part.width() >= part.minimumSizeHint().width(), (width, part.accessibleName())
            assert not any(place(bar, part).intersects(place(bar, other)) for other in shown[number + 1 :])
        keys = {text.partition("\t")[2]: action for text, action in offered(bar).items()}
        for command, button in buttons(bar).items():
            assert button.isVisible() != (key_text(command) in keys), (width, command)
        assert bar.overflow_button.isVisible() == bool(keys)
        now = {command for command, button in buttons(bar).items() if button.isVisible()}
        assert now >= in_bar, f"at {width} px a part left though there was more room"
        in_bar = now
    assert not bar.overflow_button.isVisible()
    assert bar.hint.isVisible()


def test_what_has_left_can_be_chosen_in_the_menu_and_is_ticked_there(qtbot: QtBot, bar: ViewBar) -> None:
    set_room(bar, 60)
    for command in COMMANDS:
        action = next(one for text, one in offered(bar).items() if text.endswith(f"\t{key_text(command)}"))
        with qtbot.waitSignal(bar.command_requested) as asked:
            action.trigger()
        assert asked.args == [command]
    bar.set_scale(ScaleMode.LOG, automatic=False)
    assert [text.partition("\t")[0] for text, one in offered(bar).items() if one.isChecked()] == ["Logarithmic axis"]
    with qtbot.waitSignal(bar.automatic_requested) as asked:
        offered(bar)[f"Automatic price axis\t{key_text('automatic')}"].trigger()
    assert asked.args == [True]
    bar.set_range(TimeRange.MONTH)
    for time_range in TimeRange:
        (action,) = [one for text, one in offered(bar).items() if text.endswith(f"\t{key_text(time_range.command)}")]
        assert action.isChecked() == (time_range is TimeRange.MONTH)
        with qtbot.waitSignal(bar.range_requested) as asked:
            action.trigger()
        assert asked.args == [time_range]
    bar.set_range(None)
    with qtbot.waitSignal(bar.zone_requested):
        next(one for text, one in offered(bar).items() if "zone" in text.lower()).trigger()
    bar.set_scale(ScaleMode.LINEAR, automatic=True)


def test_a_right_click_anywhere_on_the_bar_offers_all_of_it_at_any_width(qtbot: QtBot, bar: ViewBar) -> None:
    set_room(bar, 60)
    everything = list(offered(bar))
    for width in (60, 1300):
        set_room(bar, width)
        for part in (bar, bar.overflow_button if width == 60 else bar.zone):
            at = QPoint(3, 3)
            event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, part.mapToGlobal(at))
            QApplication.sendEvent(part, event)
            (menu,) = [one for one in bar.findChildren(QMenu) if one.isVisible()]
            assert [action.text() for action in menu.actions()] == everything
            with qtbot.waitSignal(bar.command_requested) as asked:
                menu.actions()[everything.index(f"Latest candle\t{key_text('latest')}")].trigger()
            assert asked.args == ["latest"]
            with qtbot.waitSignal(menu.destroyed):
                menu.close()


def test_the_hint_leaves_first_and_for_good_once_it_is_no_longer_needed(bar: ViewBar) -> None:
    set_room(bar, 1300)
    assert bar.hint.isVisible()
    set_room(bar, 800)
    assert not bar.hint.isVisible()
    assert bar.date.isVisible()
    set_room(bar, 1300)
    bar.show_hint(False)
    assert not bar.hint.isVisible()
    bar.show_hint(True)
    assert bar.hint.isVisible()


def five_minutes(phase: int = 0) -> CandleSeries:
    interval = Interval.parse("5m").with_phase(phase)
    return series_of(zigzag(200, interval=interval), interval)


def test_the_slider_lets_candles_begin_later(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    phase = chart.bar.phase
    assert series.interval.name == "1m"
    assert not phase.isVisible()
    chart.set_series(five_minutes(), BTC)
    settle(qtbot, chart)
    assert phase.isVisible()
    assert (phase.slider.maximum(), phase.slider.value(), phase.number.text()) == (4, 0, "+0m")
    assert phase.slider.accessibleName()
    phase.slider.setFocus()
    with qtbot.waitSignal(chart.interval_requested) as asked:
        QTest.keyClick(phase.slider, Qt.Key.Key_Right)
        QTest.keyClick(phase.slider, Qt.Key.Key_Right)
    assert asked.args == [Interval.parse("5m+2m")]  # once, when it rests
    assert phase.number.text() == "+2m"
    chart.set_series(five_minutes(2), BTC)
    settle(qtbot, chart)
    assert phase.slider.value() == 2
    chart.setFocus()
    for key, name in ((Qt.Key.Key_Comma, "5m+1m"), (Qt.Key.Key_Period, "5m+2m")):
        with qtbot.waitSignal(chart.interval_requested) as asked:
            QTest.keyClick(chart.focusWidget() or chart, key, Qt.KeyboardModifier.AltModifier)
        assert asked.args == [Interval.parse(name)]


def test_a_phase_that_is_loaded_late_does_not_move_the_slider_back(qtbot: QtBot, bar: ViewBar) -> None:
    hour = Interval.parse("1h")
    bar.phase.set_interval(hour)
    for wanted in (1, 2):
        with qtbot.waitSignal(bar.phase_requested) as asked:
            bar.phase.step_by(1)
        assert asked.args == [wanted]
    bar.phase.set_interval(hour.with_phase(1))  # the chart shows the first one only now
    assert bar.phase.slider.value() == 2
    bar.phase.step_by(1)
    bar.phase.set_interval(hour.with_phase(2))
    assert bar.phase.slider.value() == 3
    with qtbot.waitSignal(bar.phase_requested) as asked:
        pass
    assert asked.args == [3]


def test_a_slider_whose_phase_never_comes_shows_the_one_in_force(qtbot: QtBot, bar: ViewBar) -> None:
    bar.phase.set_interval(Interval.parse("1h"))
    with qtbot.waitSignal(bar.phase_requested):
        bar.phase.step_by(7)
    bar.phase._loading.timeout.emit()  # the exchange and the database are away
    assert bar.phase.slider.value() == 0
    assert bar.phase.number.text() == "+0m"


def test_the_slider_goes_round_and_shows_a_phase_that_was_typed(qtbot: QtBot, bar: ViewBar) -> None:
    bar.set_interval(Interval.parse("1h+59m"))
    set_room(bar, 1400)
    assert bar.phase.number.text() == "+59m"
    with qtbot.waitSignal(bar.phase_requested) as asked:
        bar.phase.step_by(1)
    assert asked.args == [0]
    for name in ("1s", "90s", "1m", "1M"):
        bar.set_interval(Interval.parse(name))
        set_room(bar, 1400)
        assert not bar.phase.isVisible()
        bar.phase.step_by(1)
        assert bar.phase.slider.value() == 0


@pytest.mark.parametrize("percent", [100, 200])
def test_the_slider_is_whole_or_two_entries_of_the_menu(bar: ViewBar, percent: int) -> None:
    bar.set_interval(Interval.parse("1d"))
    for width in range(150, 2000, 50):
        set_room(bar, width, percent)
        entries = [text for text in offered(bar) if text.startswith("Candles a minute")]
        assert bar.phase.isVisible() == (not entries)
        assert len(entries) in (0, 2)
        for part in (*parts_of(bar), *([bar.phase] if bar.phase.isVisible() else [])):
            assert bar.rect().contains(place(bar, part)), (width, part.accessibleName())
    assert bar.phase.isVisible()
