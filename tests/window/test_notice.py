"""The notice bar says the one thing that matters most."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from app.live.charts.cold_days import ColdDays
from app.live.engine import Engine
from app.market.ports.cold import ColdSource
from app.market.ports.exchange import FeedState, FeedStatus
from app.market.symbol import Symbol
from app.window.notice import Notice, notice_of
from tests.window.test_panel_values import BTC, SilentFeed, silent_engine
from widgets.window.bars.notice_bar import NoticeAction


def notice(engine: Engine, symbol: Symbol = BTC, refusal: str = "", *, simulated: bool = False) -> Notice | None:
    return notice_of(engine, symbol, None, refusal=refusal, simulated=simulated)


def test_there_is_no_notice_without_trouble_nor_for_a_short_reconnect() -> None:
    engine = silent_engine()
    assert notice(engine) is None
    cast(SilentFeed, engine.feed).status = FeedStatus(FeedState.BACKING_OFF, "It broke.", 1, 0.4, 0.4)
    assert notice(engine) is None


def test_a_feed_that_is_down_outweighs_a_refusal_to_record_and_that_a_halted_symbol() -> None:
    engine, halted = silent_engine(), replace(BTC, status="HALT")
    said = notice(engine, halted)
    assert said is not None
    assert said.sentence.startswith("BTC/USDT: trading halted at the exchange.")
    said = notice(engine, halted, "Too many.")
    assert said == Notice("Not all symbols are recorded. Too many.")
    engine.feed_reason = "The exchange refuses."
    said = notice(engine, halted, "Too many.")
    assert said is not None
    assert said.sentence.startswith("The exchange refuses.")
    assert said.actions == (NoticeAction.RETRY_FEED, NoticeAction.OPEN_SIMULATED_MARKET)
    said = notice(engine, simulated=True)
    assert said is not None
    assert said.actions == (NoticeAction.RETRY_FEED,)


def test_a_ban_offers_no_retry() -> None:
    engine = silent_engine()
    engine.ban.note("Asked too much.", 90.0, engine.clock.monotonic_s())
    assert notice(engine) == Notice("History and repair wait: Asked too much; trying again in 1 min 30 s.")
    cast(SilentFeed, engine.feed).status = FeedStatus(FeedState.BACKING_OFF, "Asked too much.", 0, 90.0, None)
    said = notice(engine)
    assert said is not None
    assert said.actions == (NoticeAction.OPEN_SIMULATED_MARKET,)


def test_a_broker_with_history_alone_offers_the_command_that_fetches_it() -> None:
    eur = Symbol("dukascopy:EURUSD", "EUR", "USD")
    said = notice(silent_engine(), eur)
    assert said == Notice(
        "EUR/USD at Dukascopy: history only, no live prices. cryptopipe history dukascopy:EURUSD quotes --days 30 "
        "fetches it.",
        (NoticeAction.COPY_HISTORY_COMMAND,),
        is_trouble=False,
    )


def test_what_is_fetched_from_the_lake_can_be_cancelled_and_its_trouble_dismissed() -> None:
    engine = silent_engine()
    cold = engine.history.cold = ColdDays(cast(ColdSource, None), engine.clock)
    assert notice(engine) is None
    cold.failure = "The lake is away."
    said = notice(engine)
    assert said == Notice("Old candles come from the exchange. The lake is away.", (NoticeAction.DISMISS_LAKE,))
    cold.dismiss()
    assert notice(engine) is None
