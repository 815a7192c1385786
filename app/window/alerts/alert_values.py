"""What the window shows of alerts: rows of the list and the history, lines on charts, toasts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from app.market.alerts.alert import (
    DrawingCrosses,
    Firing,
    Incident,
    IndicatorCrosses,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Trouble,
)
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import AlertState, NewAlert, StoredAlert
from app.market.drawings.drawing import Drawing
from app.market.durations import length
from app.market.symbol import Symbol
from app.market.units import E8
from app.window.alerts import alert_words as words
from widgets.alerts.alert_toast import ToastText
from widgets.alerts.alert_views import AlertForm, AlertRow, FiringRow
from widgets.chart.alert_lines.alert_line import AlertLine
from widgets.chart.drawings.kinds import icon_of

SymbolOf = Callable[[str], Symbol | None]
DrawingOf = Callable[[StoredAlert], Drawing | None]
"""Returns the drawing that an alert is on, None if it is on none or the drawing is not known."""
_MOST_FIRINGS = 2_000  # in the history
_CONFIRMED_AFTER_US = 10_000_000
_LATE_US = 1_000_000  # a firing that was found sooner after its trade is not worth a length


def no_drawing(alert: StoredAlert) -> None:
    """Know no drawing."""


def row_of(
    alert: StoredAlert,
    symbol: Symbol | None,
    last_e8: int | None,
    fired: int,
    now_us: int,
    drawing: Drawing | None = None,
) -> AlertRow:
    """Return the list's row of an alert. ``fired``: how often, by its former rules too; ``drawing``: what it is on."""
    return AlertRow(
        alert.alert_id,
        symbol,
        words.title_of(alert, symbol, drawing),
        words.words_of(alert, symbol, drawing),
        alert.state(now_us),
        icon_of(drawing.kind) if drawing is not None else _icon_of(alert),
        distance_percent(alert, last_e8, now_us),
        fired,
        words.end_text(alert.expires_us),
        alert.notifies,
        alert.sounds,
        alert.expires_us,
    )


def distance_percent(alert: StoredAlert, last_e8: int | None, now_us: int) -> float | None:
    """Return how far the last price is from where an alert fires, in percent; None where no price decides now."""
    condition = alert.rule.condition
    if isinstance(condition, DrawingCrosses):
        levels = [level for line in condition.lines if (level := line.price(now_us)) is not None]
    else:
        levels = [line.price for line in lines_of([alert])]
    if not last_e8 or not levels:
        return None
    return min((100 * (level * E8 - last_e8) / last_e8 for level in levels), key=abs)


def lines_of(alerts: Iterable[StoredAlert]) -> list[AlertLine]:
    """Return the lines of alerts that wait at prices."""
    lines = list[AlertLine]()
    for one in alerts:
        detail = words.repeat_text(one.rule, one.repeat)
        match one.rule.condition:
            case PriceCrosses(price_e8):
                lines.append(AlertLine(one.alert_id, price_e8 / E8, words.line_text(one.rule, "price"), detail))
            case PriceInRange(low_e8, high_e8):
                for edge, edge_e8 in (("low", low_e8), ("high", high_e8)):
                    text = words.line_text(one.rule, edge)
                    lines.append(AlertLine(one.alert_id, edge_e8 / E8, text, detail, edge))
    return lines


def moved(alert: StoredAlert, line: AlertLine, price: float) -> NewAlert:
    """Return an alert as it is once one of its lines was dropped at a price; the edges of a range change places."""
    price_e8, condition = round(price * E8), alert.rule.condition
    if isinstance(condition, PriceInRange):
        edges = {"low": condition.low_e8, "high": condition.high_e8, line.edge: price_e8}
        low_e8, high_e8 = sorted((edges["low"], edges["high"]))
        condition = PriceInRange(low_e8, high_e8, condition.enters)
    elif isinstance(condition, PriceCrosses):
        condition = PriceCrosses(price_e8, condition.direction)
    new = form_of(alert)
    rule = type(alert.rule)(condition, alert.rule.interval)
    return new_alert(new)._replace(rule=rule)


def form_of(alert: StoredAlert) -> AlertForm:
    """Return an alert as the editor has it."""
    return AlertForm(
        alert.alert_id,
        alert.symbol,
        alert.text,
        alert.repeat,
        alert.name,
        alert.note,
        alert.expires_us,
        alert.notifies,
        alert.sounds,
    )


def new_alert(form: AlertForm) -> NewAlert:
    """Return what to keep of an edited alert. Raises UsageError for a condition that is none."""
    return NewAlert(
        form.symbol,
        read_rule(form.when),
        form.repeat,
        form.name,
        form.note,
        form.expires_us,
        form.notifies,
        form.sounds,
    )


def history_of(
    alerts: Sequence[StoredAlert], symbol_of: SymbolOf, now_us: int, drawing_of: DrawingOf = no_drawing
) -> list[FiringRow]:
    """
    Return the firings of all alerts, the newest first; those by a former rule are of the alert as it is now.

    A firing is called provisional once it should have been confirmed.
    """
    rows = list[FiringRow]()
    for one in alerts:
        symbol = symbol_of(one.symbol)
        title, alert_id = words.title_of(one, symbol, drawing_of(one)), one.replaced_by or one.alert_id
        for fired in one.firings:
            late_us = fired.noted_us - fired.time_us
            late = f"{length(late_us / 1e6)} late" if fired.is_late and late_us > _LATE_US else ""
            text = words.price_text(fired.price_e8, symbol)
            why = words.with_separators(fired.reason) or fired.direction.value
            is_provisional = fired.is_provisional and now_us - fired.noted_us > _CONFIRMED_AFTER_US
            rows.append(
                FiringRow(alert_id, fired.time_us, title, symbol, text, fired.trade_id, why, late, is_provisional)
            )
        for incident in one.incidents:
            about = symbol_of(incident.symbol)
            rows.append(FiringRow(alert_id, incident.time_us, title, about, "", None, incident.reason))
    rows.sort(key=lambda row: row.time_us, reverse=True)
    return rows[:_MOST_FIRINGS]


def fired_counts(alerts: Iterable[StoredAlert], counts: Mapping[int, int]) -> dict[int, int]:
    """Return how often each alert has fired, by its former rules too. ``counts``: how often by each rule."""
    summed: dict[int, int] = {}
    for one in alerts:
        key = one.replaced_by or one.alert_id
        summed[key] = summed.get(key, 0) + counts.get(one.alert_id, 0)
    return summed


def toast_of(
    alert: StoredAlert,
    firing: Firing | Incident,
    symbol: Symbol | None,
    drawing: Drawing | None = None,
    *,
    late: bool,
    more: int = 0,
) -> ToastText:
    """Return what a toast says of a firing; ``more``: how many others there is no room for."""
    title = words.happened_text(alert, firing, symbol, drawing)
    repeat = words.repeat_text(alert.rule, alert.repeat)
    if isinstance(firing, Incident):
        where, by = firing.reason, f"{words.time_text(firing.time_us)} · {repeat}"
    else:
        where = f"{words.price_text(firing.price_e8, symbol)} at {words.time_text(firing.time_us)}"
        by = f"{words.trade_text(firing.trade_id)} · {'late' if late else repeat}"
    if more:
        by = f"{by} · and {more:,} more"
    return ToastText(title, where, by, alert.name)


def drawings_watched(alerts: Iterable[StoredAlert]) -> dict[str, int]:
    """Return how many of these alerts are on each drawing, by its id."""
    on_drawings = (one.rule.condition for one in alerts)
    return dict(Counter(one.drawing_id for one in on_drawings if isinstance(one, DrawingCrosses)))


def watching(alerts: Iterable[StoredAlert], now_us: int) -> list[StoredAlert]:
    """Return the alerts that wait now."""
    return [one for one in alerts if one.state(now_us) is AlertState.WAITING]


def _icon_of(alert: StoredAlert) -> str:
    match alert.rule.condition:
        case PriceMoves():
            return "clock"
        case IndicatorCrosses():
            return "indicators"
        case DrawingCrosses():
            return "draw-trend-line"
        case Trouble():
            return "warning"
        case _:
            return "bell"
