"""Sums since a session began: VWAP and cumulative volume delta. Formulas: docs/indicators.md."""

from __future__ import annotations

import numpy as np

from app.market.indicators.catalogue import register
from app.market.indicators.definition import Bars, Indicator, Output, Parameter, Placement, Session, Unit, Values

_SESSION = Parameter("session", "Restarts each", Session.DAY.value, choices=tuple(each.value for each in Session))


def vwap(bars: Bars, *, session: str) -> Values:
    # Not the usual estimate by (high + low + close) / 3: the quote volume is exact.
    paid, bought = np.cumsum(bars.quote_volume), np.cumsum(bars.volume)
    price: Values = np.divide(paid, bought, out=np.full(len(bars), np.nan), where=bought > 0)
    return price


def volume_delta(bars: Bars, *, session: str) -> Values:
    delta: Values = np.cumsum(2 * bars.taker_buy_volume - bars.volume)
    return delta


register(
    Indicator(
        key="vwap",
        name="VWAP",
        title="Volume-weighted average price",
        about="What was paid over what was bought, since the session began",
        compute=vwap,
        warm_up=lambda session: Session(session),
        outputs=(Output("vwap"),),
        parameters=(_SESSION,),
        placement=Placement.PRICE,
        unit=Unit.PRICE,
    )
)
register(
    Indicator(
        key="cvd",
        name="CVD",
        title="Cumulative volume delta",
        about="What takers bought less what they sold, since the session began",
        compute=volume_delta,
        warm_up=lambda session: Session(session),
        outputs=(Output("delta"),),
        parameters=(_SESSION,),
        unit=Unit.QUANTITY,
    )
)
