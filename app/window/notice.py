"""
The notice bar's one sentence: of all troubles at the moment, the one that matters most.

Their order here is their order of weight. A pure decision, called about once per second.
"""

from __future__ import annotations

from typing import NamedTuple

from app.live.charts.chart_session import ChartSession
from app.live.engine import Engine
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.symbol import Symbol, broker_title, has_live_prices, history_command
from app.window.panel_values import feed_status, history_reason
from widgets.window.bars.notice_bar import NoticeAction

_FAILING_ATTEMPTS = 2  # one failed attempt is an everyday reconnect
_LONG_WAIT_S = 10.0
_COPY = (NoticeAction.COPY_HISTORY_COMMAND,)


class Notice(NamedTuple):
    """One sentence, and the buttons beside it; ``is_trouble``: something is wrong."""

    sentence: str
    actions: tuple[NoticeAction, ...] = ()
    is_trouble: bool = True


def notice_of(
    engine: Engine,
    symbol: Symbol,
    session: ChartSession | None,
    *,
    refusal: str = "",
    serving_problem: str = "",
    chart_trouble: str = "",
    comparison: str = "",
    simulated: bool = False,
) -> Notice | None:
    """
    Return the notice to show; None if there is nothing to say.

    ``symbol`` and ``session`` are the chart's. ``refusal`` says why the watchlist is not recorded, ``serving_problem``
    why the data is not served, ``chart_trouble`` which part the chart leaves out, ``comparison`` how the candles in
    view compare with the exchange's; empty if there is none. ``simulated``: the market is a simulation, so offer none.
    """
    status = feed_status(engine, symbol.name)
    if engine.database is None and engine.database_failed:
        return Notice(engine.database_reason, (NoticeAction.RETRY_DATABASE, NoticeAction.CHOOSE_DATABASE))
    if not has_live_prices(symbol.name):
        title, command = f"{symbol.display_name} at {broker_title(symbol.name)}", history_command(symbol.name)
        return Notice(f"{title}: history only, no live prices. {command} fetches it.", _COPY, is_trouble=False)
    if status.reason and _is_away(status):
        now_s = engine.clock.monotonic_s()
        is_banned = symbol.has_trades and engine.ban.left_s(now_s)
        retry = () if is_banned else (NoticeAction.RETRY_FEED,)
        # The simulated market has no symbols of other brokers.
        instead = () if simulated or not symbol.has_trades else (NoticeAction.OPEN_SIMULATED_MARKET,)
        return Notice(status.sentence(now_s), (*retry, *instead))
    if symbol.has_trades and (waiting := history_reason(engine)):
        return Notice(waiting)
    if (cold := engine.history.cold) is not None and cold.sentence:
        return Notice(cold.sentence, () if cold.is_storing else (NoticeAction.CANCEL_FETCH,), is_trouble=False)
    if session is not None and session.failure and len(session.series):
        return Notice(f"Some candles may be missing. {session.failure}", (NoticeAction.RETRY_FEED,))
    if cold is not None and cold.failure:
        return Notice(f"Old candles come from the exchange. {cold.failure}", (NoticeAction.DISMISS_LAKE,))
    if refusal:
        return Notice(f"Not all symbols are recorded. {refusal}")
    if serving_problem:
        return Notice(serving_problem, (NoticeAction.DISMISS,))
    if chart_trouble:
        return Notice(chart_trouble)
    if comparison:
        return Notice(comparison)
    return Notice(_trouble_sentence(symbol, symbol.trouble)) if symbol.trouble else None


def _is_away(status: FeedStatus) -> bool:
    """Whether the feed is down for longer than a new connection takes."""
    return (
        status.state is FeedState.REFUSED
        or bool(status.refused)
        or status.attempt >= _FAILING_ATTEMPTS
        or (status.retry_in_s or 0.0) >= _LONG_WAIT_S
    )


def _trouble_sentence(symbol: Symbol, trouble: str) -> str:
    source = "exchange" if symbol.has_trades else "broker"
    if symbol.is_listed:
        return f"{symbol.display_name}: {trouble.lower()} at the {source}. It goes on here by itself when that changes."
    return f"{symbol.display_name}: {trouble.lower()} by the {source}. What is stored of it can still be looked at."
