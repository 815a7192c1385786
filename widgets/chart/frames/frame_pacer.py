"""
Decides when live data are painted, for charts that share a thread: at each its turn, for a share of the time.

Pure: times are passed in, in seconds of any monotonic clock. A favoured member, the chart that the user works with,
has a turn each 16 ms. The others take turns in what the share leaves, the one that was painted longest ago first. After
each frame the thread rests, so that trades are handled between two charts. Frames that the user causes ask for no turn,
but their time counts.
"""

from __future__ import annotations

from dataclasses import dataclass

PERIOD_S = 0.016  # between two frames of a chart
LONGEST_S = 0.1  # between two frames of a chart that is not favoured, whatever the share
REST_S = 0.002  # from a frame to the next turn
SHARE = 0.4  # of the thread's time, for live data


@dataclass(slots=True, eq=False)
class PaceMember:
    """
    One chart's place among those that share a thread. Times in seconds.

    ``due_s``: when its next frame may run at the earliest. ``began_s``: when its last one began.
    """

    began_s: float = -1e9
    due_s: float = -1e9
    is_favoured: bool = False


class FramePacer:
    """Gives turns to members that wait for one."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._waiting: list[PaceMember] = []
        self._rested_s = self._afforded_s = -1e9
        self._took_favoured = False

    def wait(self, member: PaceMember, *, favoured: bool) -> None:
        """Let a member wait for its turn; one that waits already may become favoured, or no longer be."""
        member.is_favoured = favoured
        if member not in self._waiting:
            self._waiting.append(member)

    def leave(self, member: PaceMember) -> None:
        """Let a member wait no longer, if it does."""
        if member in self._waiting:
            self._waiting.remove(member)

    def next_turn_s(self) -> float | None:
        """Return when `take` has a member to return, past or future; None while no one waits."""
        return min(map(self._turn_s, self._waiting), default=None)

    def take(self, now_s: float) -> PaceMember | None:
        """Return the member whose turn it is, which then waits no longer; None before `next_turn_s`."""
        ready = [member for member in self._waiting if self._turn_s(member) <= now_s]
        if not ready:
            return None
        favoured = [member for member in ready if member.is_favoured]
        late = [member for member in ready if not member.is_favoured and member.began_s + LONGEST_S <= now_s]
        # Where the thread has too little time for all, every other turn at most is a favoured member's.
        chosen = min((late if late and self._took_favoured else favoured) or ready, key=lambda one: one.began_s)
        self._took_favoured = chosen.is_favoured
        self._waiting.remove(chosen)
        return chosen

    def note_began(self, member: PaceMember, now_s: float) -> None:
        """Take note that a frame of a member has begun, in its turn or not."""
        # A frame that is late by less than half of a period leaves the next one where it was: delays do not add up.
        is_punctual = 0 <= now_s - member.due_s <= PERIOD_S / 2
        member.due_s = (member.due_s if is_punctual else now_s) + PERIOD_S
        member.began_s = now_s

    def note_ended(self, took_s: float, now_s: float) -> None:
        """Take note that a frame has ended, painted, after so long."""
        self._rested_s = now_s + REST_S
        # No more than the longest time in debt: one slow frame does not hold up many later ones.
        self._afforded_s = min(max(self._afforded_s, now_s - took_s) + took_s / self._share, now_s + LONGEST_S)

    def _turn_s(self, member: PaceMember) -> float:
        if member.is_favoured:
            return max(member.due_s, self._rested_s)
        return max(member.due_s, self._rested_s, min(self._afforded_s, member.began_s + LONGEST_S))
