"""What a rule would have fired: a draft is judged by stored trades, and nothing is kept."""

from __future__ import annotations

from app.market.alerts.alert import Alert, Firing, Repeat, Rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.ports.alerts import Draft
from storage.alerts.drawing_rules import with_lines
from storage.alerts.warm_boards import BoardMaker
from storage.candles.trade_columns import nearest_trade
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of
from storage.schema import id_ranges

MOST_TRADES = 300_000
"""More would take longer than somebody who types waits."""
_NUMBER = 0


def judge_draft(connection: Connection, symbol: str, rule: Rule, repeat: Repeat, from_us: int, to_us: int) -> Draft:
    """
    Judge the stored trades of a time (UTC microseconds, the end left out), the newest `MOST_TRADES` if there are more.

    They end with the newest trade before which none is missing for that long. May raise psycopg.Error and StoreError.
    """
    rule = with_lines(connection, symbol, rule)
    nothing = Draft([], to_us, to_us, 0)
    symbol_id = symbol_id_of(connection, symbol)
    if symbol_id is None:
        return nothing
    last = nearest_trade(connection, symbol, symbol_id, to_us, before=True)
    first = nearest_trade(connection, symbol, symbol_id, from_us, before=False)
    if last is None or first is None or first.trade_id > last.trade_id:
        return nothing
    held = id_ranges.read_from(connection, {symbol: 0}).get(symbol)
    within = None if held is None else held.range_of(last.trade_id)
    whole_from_id = first.trade_id if within is None else max(first.trade_id, within[0])
    first_id = max(whole_from_id, last.trade_id - MOST_TRADES + 1)
    before = StoredAlert(_NUMBER, symbol, rule, repeat, "", "", None, first_id - 1, within and within[0], first_id - 1)
    maker = BoardMaker(connection, symbol, symbol_id)
    board = maker.board([before], first_id - 1)
    board.add(Alert(_NUMBER, rule, repeat))
    firings, count, began_us = list[Firing](), 0, to_us
    for count, trade in enumerate(maker.trades(first_id, last.trade_id), start=1):
        if count == 1:
            began_us = trade.time_us
        firings += board.judge(trade)
    return Draft(firings, began_us, to_us, count, rule)
