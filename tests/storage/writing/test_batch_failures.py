"""Which error means what, and which trades of a refused batch are to blame: without a database."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import StoreError, StoreSchemaMismatch, StoreUnavailable
from app.market.trade import Trade
from storage.writing.batch_failures import Decision, RefusedRow, StoredPart, decide, explain, store_by_bisection
from tests.storage.helpers import some_trades


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (psycopg.OperationalError(), Decision.RETRY),
        (psycopg.errors.QueryCanceled(), Decision.RETRY),
        (psycopg.errors.UndefinedTable(), Decision.RETRY),
        (psycopg.errors.UniqueViolation(), Decision.RETRY),
        (StoreUnavailable("It is away."), Decision.RETRY),
        (StoreSchemaMismatch("It is newer."), Decision.RETRY),
        (StoreError("Not these."), Decision.RETRY),
        (psycopg.errors.CheckViolation(), Decision.REFUSE),
        (psycopg.errors.NumericValueOutOfRange(), Decision.REFUSE),
        (psycopg.errors.ProgramLimitExceeded(), Decision.REFUSE),
        (KeyError("a bug"), Decision.FAIL),
        (AssertionError(), Decision.FAIL),
    ],
)
def test_an_error_means_a_retry_a_refusal_or_a_bug(error: Exception, decision: Decision) -> None:
    assert decide(error) is decision


def test_every_error_of_the_database_is_a_sentence_for_the_user() -> None:
    assert explain(StoreUnavailable("It is away; wait."), "store trades") == "It is away; wait."
    assert explain(psycopg.errors.DiskFull(), "store trades").startswith("Could not store trades: ")
    assert "cryptopipe db rebuild" in explain(psycopg.errors.UniqueViolation(), "store trades")


class PickyStore:
    """Refuses every batch that holds one of some ids."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.attempts = 0
        self.stored: list[Trade] = []

    def __call__(self, trades: Sequence[Trade]) -> int:
        self.attempts += 1
        if any(trade.trade_id in self.bad for trade in trades):
            raise psycopg.errors.CheckViolation
        self.stored += trades
        return len(trades)


@given(st.integers(0, 60), st.sets(st.integers(100, 160)))
def test_bisection_blames_the_bad_trades_and_stores_all_others_in_their_order(count: int, bad: set[int]) -> None:
    trades, store = some_trades(count), PickyStore(bad)
    outcomes = list(store_by_bisection(trades, store))
    assert store.stored == [trade for trade in trades if trade.trade_id not in bad]
    seen: list[Trade] = []
    for outcome in outcomes:
        if isinstance(outcome, RefusedRow):
            assert outcome.row.trade_id in bad
            assert isinstance(outcome.error, psycopg.errors.CheckViolation)
            seen.append(outcome.row)
        else:
            assert outcome.result == len(outcome.rows)
            seen += outcome.rows
    assert seen == trades


def test_one_bad_trade_among_ten_thousand_costs_few_attempts() -> None:
    store = PickyStore({7_000})
    assert sum(isinstance(one, RefusedRow) for one in store_by_bisection(some_trades(10_000), store)) == 1
    assert store.attempts <= 2 * 14 + 1


@pytest.mark.parametrize("error", [psycopg.OperationalError("the connection broke"), ZeroDivisionError()])
def test_any_other_error_ends_the_bisection_and_leaves_what_was_stored_before(error: Exception) -> None:
    def store(part: Sequence[Trade]) -> int:
        if len(part) > 2:
            raise psycopg.errors.CheckViolation
        if part[0].trade_id > 101:
            raise error
        return len(part)

    trades = some_trades(8)
    outcomes = store_by_bisection(trades, store)
    assert next(outcomes) == StoredPart(trades[:2], 2)
    with pytest.raises(type(error)):
        next(outcomes)
    assert list(outcomes) == []
