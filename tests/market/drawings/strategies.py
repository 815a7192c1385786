"""Any drawing that is possible, and any JSON."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from app.market.drawings.drawing import (
    EARLIEST_US,
    LATEST_US,
    MOST_LEVEL,
    MOST_ORDER,
    MOST_PRICE,
    Anchor,
    Dash,
    Drawing,
    DrawingKind,
    DrawingStyle,
    Extend,
)

floats = st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
extras = st.dictionaries(st.text(string.ascii_lowercase, max_size=3).map("new_".__add__), json_values, max_size=3)
anchors = st.builds(Anchor, st.integers(EARLIEST_US, LATEST_US), st.floats(-MOST_PRICE, MOST_PRICE))
styles = st.builds(
    DrawingStyle,
    colour=st.just("") | st.integers(1, 9).map("line:{}".format) | st.integers(0, 0xFFFFFF).map("#{:06x}".format),
    width=st.integers(1, 4),
    dash=st.sampled_from(Dash),
    filled=st.booleans(),
    levels=st.lists(st.floats(-MOST_LEVEL, MOST_LEVEL), max_size=4).map(tuple),
    extend=st.sampled_from(Extend),
    extra=extras,
)


@st.composite
def drawings(draw: st.DrawFn, of: tuple[str, ...] = ("BTCUSDT", "OANDA:EUR_USD")) -> Drawing:
    """A drawing of any kind, on one of these symbols."""
    kind = draw(st.sampled_from(DrawingKind))
    most = 20 if kind is DrawingKind.FREEHAND else kind.anchors
    return Drawing(
        str(draw(st.uuids())),
        draw(st.sampled_from(of)),
        kind,
        tuple(draw(st.lists(anchors, min_size=kind.anchors, max_size=most))),
        draw(styles),
        draw(st.text(max_size=20)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.floats(-MOST_ORDER, MOST_ORDER)),
        extra=draw(extras),
    )
