"""When a session that lacks candles loads again."""

from __future__ import annotations

_RELOAD_FIRST_S, _RELOAD_LAST_S = 2.0, 60.0


class ReloadBackoff:
    """Decides when a session that lacks candles loads again: after waits that double, up to a minute. Pure."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._wait_s = _RELOAD_FIRST_S

    def take_turn(self, now_s: float, *, is_stale: bool, is_live: bool) -> bool:
        """
        Return whether to reload now; True begins the next wait.

        ``is_stale``: candles are missing. ``is_live``: the exchange can be reached.
        """
        if now_s < self._next_s:
            return False  # the last reload may still be under way, so its state proves nothing yet
        if not is_stale:
            self._wait_s = _RELOAD_FIRST_S
            return False
        if is_live:
            self._next_s = now_s + self._wait_s
            self._wait_s = min(2 * self._wait_s, _RELOAD_LAST_S)
        return is_live

    def reset(self) -> None:
        """Reload at the next turn, and begin with the shortest wait: the exchange is back."""
        self._next_s, self._wait_s = 0.0, _RELOAD_FIRST_S
