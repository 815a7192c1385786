"""One status for a feed of several connections. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from app.market.ports import FeedState, FeedStatus

# From best to worst. Connections that have ended are no worry while another is at work.
_BADNESS = (
    FeedState.CLOSED,
    FeedState.IDLE,
    FeedState.LIVE,
    FeedState.STALE,
    FeedState.CONNECTING,
    FeedState.BACKING_OFF,
    FeedState.CLOSING,
    FeedState.REFUSED,
)


def summed(statuses: Sequence[FeedStatus]) -> FeedStatus:
    """
    Return the worst of these statuses, at least one, as that of all.

    Of several in that state, the one that is tried again soonest counts. Its reason says how many are concerned where
    there are more connections than those.
    """
    worst = max(statuses, key=lambda status: _BADNESS.index(status.state)).state
    concerned = [status for status in statuses if status.state is worst]
    first = min(concerned, key=lambda status: (status.retry_at_s or 0.0, -status.attempt))
    reason = first.reason
    if reason and len(statuses) > 1 and worst is not FeedState.REFUSED:
        reason = f"{len(concerned)} of {len(statuses)} connections: {reason}"
    return FeedStatus(worst, reason, first.attempt, first.retry_in_s, first.retry_at_s)
