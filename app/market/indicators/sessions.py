"""
Sums since a session began: VWAP and cumulative volume delta. Formulas: docs/indicators.md.

A sum has no value from the first candle on that does not know its part of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.indicators.catalogue import register
from app.market.indicators.definition import Bars, Indicator, Output, Parameter, Placement, Session, Unit, Values

_SESSION = Parameter("session", "Restarts each", Session.DAY.value, choices=tuple(each.value for each in Session))


def vwap(bars: Bars, *, session: str) -> Values:
    # Not the usual estimate by (high + low + close) / 3: the quote volume is exact, and where it is unknown so is VWAP.
    paid, bought = np.cumsum(np.where(_is_unpriced(bars), np.nan, bars.quote_volume)), np.cumsum(bars.volume)
    price: Values = np.divide(paid, bought, out=np.full(len(bars), np.nan), where=bought > 0)
    return price


def volume_delta(bars: Bars, *, session: str) -> Values:
    delta: Values = np.cumsum(np.where(_is_unsided(bars), np.nan, 2 * bars.taker_buy_volume - bars.volume))
    return delta


def _is_unpriced(bars: Bars) -> NDArray[np.bool_]:
    """Return which candles have a volume without a quote volume, as in many files (`has_prices_alone`)."""
    unpriced: NDArray[np.bool_] = (bars.volume > 0) & (bars.quote_volume == 0)
    return unpriced


def _is_unsided(bars: Bars) -> NDArray[np.bool_]:
    """
    Return which candles have a volume, but not what takers bought of it.

    An import counts one trade where a file counts none. One trade has one price.
    """
    is_uncounted = _is_unpriced(bars) | ((bars.volume > 0) & (bars.trades <= 1) & (bars.high > bars.low))
    unsided: NDArray[np.bool_] = is_uncounted & (bars.taker_buy_volume == 0)
    return unsided


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
