"""
One status for a feed of several connections. No I/O.

A symbol is live while its connection is, and the feed while one of its connections is: a part that broke must not look
like the whole, nor hide behind it. So the state is the whole's, and the reason is that of what is down.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.market.ports.exchange import FeedState, FeedStatus

# From best to worst. What is refused counts least while others are tried.
_BADNESS = (
    FeedState.REFUSED,
    FeedState.CLOSED,
    FeedState.IDLE,
    FeedState.STALE,
    FeedState.CONNECTING,
    FeedState.BACKING_OFF,
    FeedState.CLOSING,
)
_NAMED = 3


def summed(connections: Sequence[tuple[FeedStatus, Collection[str]]]) -> FeedStatus:
    """
    Return the statuses of these connections, at least one, each with its symbols, as one.

    LIVE while one is. Then the reason tells of what is refused, because only the user can change that, else of what is
    down; of several connections in the same state, of the one that is tried again soonest. With none live the state is
    the worst of what is still tried, and REFUSED where nothing is.
    """
    down = [status for status, _ in connections if status.state is not FeedState.LIVE]
    refused = [(status, symbols) for status, symbols in connections if status.state is FeedState.REFUSED]
    if not down:
        return FeedStatus(FeedState.LIVE, connections=len(connections))
    live = len(down) < len(connections)
    worst = max((status.state for status in down), key=_BADNESS.index)
    told = FeedState.REFUSED if live and refused else worst
    first = min((status for status in down if status.state is told), key=_soonest)
    names = tuple(sorted(name for _, symbols in refused for name in symbols))
    return FeedStatus(
        FeedState.LIVE if live else worst,
        f"{_listed(names)} not received: {first.reason}" if live and refused else first.reason,
        first.attempt,
        first.retry_in_s,
        first.retry_at_s,
        len(connections),
        len(down),
        names,
    )


def _soonest(status: FeedStatus) -> tuple[float, int]:
    return (status.retry_at_s or 0.0, -status.attempt)


def _listed(names: Sequence[str]) -> str:
    """Return names as the subject of a sentence: “AUSDT is”, “AUSDT, BUSDT, CUSDT and 7 more are”."""
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"
