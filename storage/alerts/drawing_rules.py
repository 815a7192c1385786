"""Conditions on drawings: the drawing's lines stand in the rule, so that what was judged can be proved for ever."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from app.market.alerts.alert import DrawingCrosses, Rule
from app.market.alerts.drawn_parts import DrawnMoment, DrawnPart, drawn_parts
from app.market.alerts.drawn_regression import are_of
from app.market.alerts.language import read_rule
from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.drawings.drawing_json import read_known
from app.market.errors import StoreError, UsageError
from storage.alerts.channel_minutes import channel_lines
from storage.postgres.connection import Connection

_CONTENT = "SELECT content::text FROM drawings WHERE id = %s AND symbol = %s AND content IS NOT NULL"
_ON_DRAWINGS = """
    SELECT s.symbol, a.id, a.rule FROM alerts a JOIN symbols s ON s.id = a.symbol_id
    WHERE s.symbol = ANY(%s::text[]) AND a.replaced_by IS NULL
        AND a.rule ~ '^price crosses (up |down )?drawing ' AND (a.expires IS NULL OR a.expires > now())
        AND NOT (a.repeat = 'once' AND EXISTS (SELECT FROM alert_firings f WHERE f.alert_id = a.id))
    ORDER BY a.id
"""


def with_lines(connection: Connection, symbol: str, rule: Rule, before: str = "") -> Rule:
    """
    Return a rule with the lines of its drawing as they are now; a rule on no drawing as it is. Raises psycopg.Error.

    ``before``: the text of the alert's rule so far.

    Raises:
        StoreError: If the symbol has no such drawing, or no price can cross it.
    """
    condition = rule.condition
    if not isinstance(condition, DrawingCrosses):
        return rule
    row = connection.execute(_CONTENT, (condition.drawing_id, symbol)).fetchone()
    drawing = None if row is None else read_known(row[0])
    if drawing is None:
        raise StoreError(f"{symbol} has no drawing {condition.drawing_id}: cryptopipe drawings list shows them.")
    was = read_rule(before).condition if before else condition
    lines = was.lines if isinstance(was, DrawingCrosses) and was.drawing_id == condition.drawing_id else ()
    try:
        parts = _parts(connection, drawing, lines)
    except UsageError as error:
        raise StoreError(str(error)) from error
    if condition.direction is not None and any(isinstance(one, DrawnMoment) for one in parts):
        raise StoreError(f"Time crosses a vertical line, neither up nor down: leave out “{condition.direction}”.")
    return replace(rule, condition=replace(condition, lines=parts))


def moved_drawings(connection: Connection, symbols: Collection[str]) -> list[tuple[str, int, Rule]]:
    """
    Return the alerts on these symbols that wait by other lines than their drawing has now: with those it has.

    Each with its symbol and number. Where the drawing is gone, or no price can cross it any more, there are none.
    """
    found = list[tuple[str, int, Rule]]()
    for symbol, alert_id, text in connection.execute(_ON_DRAWINGS, (list(symbols),)).fetchall():
        rule = read_rule(text)
        assert isinstance(rule.condition, DrawingCrosses)
        lines: tuple[DrawnPart, ...] = ()
        try:
            now = with_lines(connection, symbol, rule)
            assert isinstance(now.condition, DrawingCrosses)
            lines = now.condition.lines
        except StoreError:
            pass  # it crosses nothing until the drawing is back
        if lines != rule.condition.lines:
            found.append((symbol, alert_id, replace(rule, condition=replace(rule.condition, lines=lines))))
    return found


def _parts(connection: Connection, drawing: Drawing, before: tuple[DrawnPart, ...]) -> tuple[DrawnPart, ...]:
    """Return what of a drawing can be crossed; ``before``: the parts of the rule so far. Raises UsageError."""
    if drawing.kind is not DrawingKind.REGRESSION_CHANNEL:
        return drawn_parts(drawing)
    return before if are_of(drawing, before) else channel_lines(connection, drawing)
