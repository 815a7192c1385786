"""
Combines the statuses of a feed's connections into one. No I/O.

A feed is live while any of its connections is, so one broken connection does not look like an outage. So that it does
not go unnoticed either, the reason and the retry times are those of the connections that are down.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.market.ports.exchange import FeedState, FeedStatus

# From best to worst. REFUSED comes first because a refused connection counts least while others are still tried.
_SEVERITY = (
    FeedState.REFUSED,
    FeedState.CLOSED,
    FeedState.IDLE,
    FeedState.STALE,
    FeedState.CONNECTING,
    FeedState.BACKING_OFF,
    FeedState.CLOSING,
)
_MAX_NAMES = 3  # symbols listed by name in a sentence; the rest are counted


def overall_status(connections: Sequence[tuple[FeedStatus, Collection[str]]]) -> FeedStatus:
    """
    Return the status of a feed from those of its connections, at least one, each with its symbols.

    While any connection is live, so is the feed. Otherwise its state is the worst among the connections still tried, or
    REFUSED if none is. The reason comes from the connections in the worst state; in a live feed from a refused one
    first, because only the user can change that. Among several, it comes from the one that is retried soonest.
    """
    down = [status for status, _ in connections if status.state is not FeedState.LIVE]
    refused = [(status, symbols) for status, symbols in connections if status.state is FeedState.REFUSED]
    if not down:
        return FeedStatus(FeedState.LIVE, connections=len(connections))
    is_live = len(down) < len(connections)
    worst = max((status.state for status in down), key=_SEVERITY.index)
    reported = FeedState.REFUSED if is_live and refused else worst
    next_retried = min((status for status in down if status.state is reported), key=_retry_order)
    refused_names = tuple(sorted(name for _, symbols in refused for name in symbols))
    reason = next_retried.reason
    return FeedStatus(
        FeedState.LIVE if is_live else worst,
        f"{_sentence_start(refused_names)} not received: {reason}" if is_live and refused else reason,
        attempt=next_retried.attempt,
        retry_in_s=next_retried.retry_in_s,
        retry_at_s=next_retried.retry_at_s,
        connections=len(connections),
        down=len(down),
        refused=refused_names,
    )


def _retry_order(status: FeedStatus) -> tuple[float, int]:
    # Of two that are retried at the same time, report the one that has failed more often.
    return (status.retry_at_s or 0.0, -status.attempt)


def _sentence_start(names: Sequence[str]) -> str:
    """Return names as subject and verb of a sentence: “AUSDT is”, “AUSDT, BUSDT, CUSDT and 7 more are”."""
    first_names = ", ".join(names[:_MAX_NAMES])
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{first_names}{more} {'is' if len(names) == 1 else 'are'}"
