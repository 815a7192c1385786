"""
One status for a feed of several connections. No I/O.

A symbol is live while its connection is, and the feed while any connection is: one broken connection must neither look
like an outage nor go unnoticed. So the state is that of the whole feed, and the reason that of the connections down.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.market.ports.exchange import FeedState, FeedStatus

# From best to worst. REFUSED comes first because a refused connection counts least while others are still tried.
_BADNESS = (
    FeedState.REFUSED,
    FeedState.CLOSED,
    FeedState.IDLE,
    FeedState.STALE,
    FeedState.CONNECTING,
    FeedState.BACKING_OFF,
    FeedState.CLOSING,
)
_NAMED = 3  # symbols that a sentence names; the rest are counted


def overall_status(connections: Sequence[tuple[FeedStatus, Collection[str]]]) -> FeedStatus:
    """
    Combine the statuses of at least one connection, each with its symbols, into one.

    LIVE while any connection is. The reason is then that of a refused connection, because only the user can change
    that, or else that of the connections down; among those in the same state, the one that is retried soonest. If none
    is live, the state is the worst of those still tried, or REFUSED if none is.
    """
    down = [status for status, _ in connections if status.state is not FeedState.LIVE]
    refused = [(status, symbols) for status, symbols in connections if status.state is FeedState.REFUSED]
    if not down:
        return FeedStatus(FeedState.LIVE, connections=len(connections))
    is_live = len(down) < len(connections)
    worst = max((status.state for status in down), key=_BADNESS.index)
    reported = FeedState.REFUSED if is_live and refused else worst
    first = min((status for status in down if status.state is reported), key=_retry_order)
    names = tuple(sorted(name for _, symbols in refused for name in symbols))
    return FeedStatus(
        FeedState.LIVE if is_live else worst,
        f"{_listed(names)} not received: {first.reason}" if is_live and refused else first.reason,
        first.attempt,
        first.retry_in_s,
        first.retry_at_s,
        len(connections),
        len(down),
        names,
    )


def _retry_order(status: FeedStatus) -> tuple[float, int]:
    return (status.retry_at_s or 0.0, -status.attempt)


def _listed(names: Sequence[str]) -> str:
    """Return names as the subject of a sentence: “AUSDT is”, “AUSDT, BUSDT, CUSDT and 7 more are”."""
    first_names = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{first_names}{more} {'is' if len(names) == 1 else 'are'}"
