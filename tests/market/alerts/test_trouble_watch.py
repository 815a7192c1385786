"""Troubles: when an alert fires on them, how often, and what counts as the same one."""

from __future__ import annotations

from app.market.alerts.alert import Incident, Pause, Repeat, TroubleKind
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import StoredAlert, StoredIncident
from app.market.alerts.trouble_watch import SeenTrouble, TroubleWatch

GAP, FEED, RECORDER = TroubleKind.GAP, TroubleKind.FEED, TroubleKind.RECORDER
DAY_US = 86_400_000_000


def alert(rule: str, symbol: str = "", repeat: Repeat = Repeat.EVERY, **more: object) -> StoredAlert:
    fields = {"name": "", "note": "", "expires_us": None, "start_id": None, "warm_from_id": None, "judged_to": None}
    return StoredAlert(7, symbol, read_rule(rule), repeat, **{**fields, **more})  # type: ignore[arg-type]  # because of the dict


def gap(first: int, last: int, symbol: str = "BTCUSDT") -> SeenTrouble:
    return SeenTrouble(GAP, symbol, f"{last - first + 1} trades missing", first, last)


def lost(symbol: str) -> SeenTrouble:
    return SeenTrouble(FEED, symbol, "No connection.")


class Watched:
    def __init__(self, *alerts: StoredAlert) -> None:
        self.alerts, self.watch = alerts, TroubleWatch()

    def at(self, now_s: float, *seen: SeenTrouble) -> list[Incident]:
        return [one for _, one in self.watch.look(now_s, DAY_US + int(now_s * 1e6), seen, self.alerts)]


def test_a_trouble_fires_once_it_has_lasted_and_again_after_it_ended() -> None:
    watched = Watched(alert("feed lost for 10s", "BTCUSDT"))
    assert not watched.at(0, lost("BTCUSDT"))
    assert not watched.at(9.9, lost("BTCUSDT"), lost("ETHUSDT"))
    (found,) = watched.at(10, lost("BTCUSDT"))
    assert found == Incident(7, "BTCUSDT", DAY_US + 10_000_000, "No connection.")
    assert not watched.at(60, lost("BTCUSDT"))
    assert not watched.at(61)
    assert not watched.at(62, lost("BTCUSDT"))
    assert len(watched.at(72, lost("BTCUSDT"))) == 1


def test_a_gap_that_a_repair_shortens_and_splits_stays_the_same_gap() -> None:
    watched = Watched(alert("trades missing for 5s"))
    assert not watched.at(0, gap(100, 200))
    assert not watched.at(3, gap(100, 120), gap(150, 200))
    found = watched.at(5, gap(110, 120), gap(150, 200))
    assert [(one.first_id, one.last_id) for one in found] == [(110, 120), (150, 200)]
    assert not watched.at(9, gap(115, 120), gap(150, 160))
    assert not watched.at(10, gap(115, 120), gap(500, 510))
    assert [one.first_id for one in watched.at(16, gap(500, 510))] == [500]


def test_feeds_lost_together_are_one_trouble_to_an_alert_on_all() -> None:
    watched = Watched(alert("feed lost for 10s"))
    watched.at(0, lost("BTCUSDT"), lost("ETHUSDT"), lost("XRPUSDT"))
    (found,) = watched.at(10, lost("BTCUSDT"), lost("ETHUSDT"), lost("XRPUSDT"))
    assert (found.symbol, found.reason) == ("", "BTCUSDT and 2 more: No connection.")
    assert not watched.at(30, lost("BTCUSDT"), lost("SOLUSDT"))
    assert not watched.at(41, lost("BTCUSDT"), lost("SOLUSDT"))


def test_paused_expired_and_ended_alerts_are_silent() -> None:
    trouble = SeenTrouble(RECORDER, "", "The disk is full.")
    rule = "recorder in trouble for 1s"
    for silent in (
        alert(rule, pauses=(Pause(0),)),
        alert(rule, expires_us=DAY_US),
        alert(rule, repeat=Repeat.ONCE, incidents=[StoredIncident("", 1, "before", None, None)]),
    ):
        watched = Watched(silent)
        watched.at(0, trouble)
        assert not watched.at(2, trouble)
    paused = alert(rule, pauses=(Pause(0, None, DAY_US + 60_000_000),))
    watched = Watched(paused)
    watched.at(0, trouble)
    assert not watched.at(59, trouble)
    assert Watched(alert(rule, repeat=Repeat.ONCE)).at(0) == []


def test_once_a_candle_is_once_a_minute_and_once_is_once() -> None:
    trouble = SeenTrouble(RECORDER, "", "The disk is full.")
    times = {Repeat.EVERY: 4, Repeat.CANDLE: 2, Repeat.ONCE: 1}
    for repeat, count in times.items():
        watched = Watched(alert("recorder in trouble for 1s", repeat=repeat))
        found = list[Incident]()
        for second in (0, 10, 20, 70):
            watched.at(second, trouble)
            found += watched.at(second + 2, trouble)
            watched.at(second + 3)
        assert len(found) == count, repeat
