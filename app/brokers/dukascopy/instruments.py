"""
Dukascopy's instruments: their names, points and groups, and the description of one. No I/O.

We write ``EURUSD``; the tree of files has that name, too, and the JSON interface ``EUR-USD``. Indices, commodities and
bonds carry their kind: ``USA500IDXUSD`` and ``USA500.IDX-USD``.

Source: recorded descriptions; the names in the tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.market.calendar.calendar import Calendar
from app.market.calendar.instrument_schedule import calendar_of
from app.market.errors import MalformedMessage
from app.market.symbol import Symbol, bare_name
from app.market.units import E8

BROKER = "dukascopy"

_NAME = re.compile(r"[A-Z0-9]{2,20}")
_KINDS = ("IDX", "CMD", "TR")
_ASSET_CLASSES = dict(zip(_KINDS, ("index", "commodity", "bond"), strict=True))
_EXCHANGE = "Dukascopy"

GROUPS: Mapping[str, Sequence[str]] = {
    "majors": ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "USDCAD", "AUDUSD", "NZDUSD"),
    "crosses": (
        "EURGBP EURJPY EURCHF EURCAD EURAUD EURNZD GBPJPY GBPCHF GBPCAD GBPAUD GBPNZD CHFJPY CADJPY CADCHF AUDJPY"
        " AUDCHF AUDCAD AUDNZD NZDJPY NZDCHF NZDCAD"
    ).split(),
    "metals": ("XAUUSD", "XAGUSD"),
    "crypto": ("BTCUSD", "ETHUSD", "LTCUSD"),
    "indices": ("USA500IDXUSD", "USA30IDXUSD", "USATECHIDXUSD", "DEUIDXEUR", "GBRIDXGBP", "JPNIDXJPY"),
    "energy": ("LIGHTCMDUSD", "BRENTCMDUSD"),
}
"""Symbols by the name of their group, as ``cryptopipe history --group`` takes it."""

_THREE_PLACES = frozenset({"JPY", "HUF", "THB"})
_POINT_PLACES: Mapping[str, int] = {"XAUUSD": 3, "XAGUSD": 3, "BTCUSD": 1, "ETHUSD": 1, "LTCUSD": 2}
_CURRENCIES = frozenset(
    "USD EUR GBP JPY CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF TRY ZAR MXN SGD HKD CNH THB ILS RON RUB".split()
)


def code_of(name: str) -> str:
    """
    Return the JSON interface's code of ``name`` (``"EURUSD"``, also with its broker): ``"EUR-USD"``.

    Raises:
        ValueError: If no instrument can have that name.
    """
    name = bare_name(name)
    if not _NAME.fullmatch(name) or len(name) < 5:
        raise ValueError(f"“{name[:40]}” is no name of an instrument")
    base, quote = name[:-3], name[-3:]
    for kind in _KINDS:
        if base.endswith(kind) and len(base) > len(kind) + 1:
            return f"{base.removesuffix(kind)}.{kind}-{quote}"
    return f"{base}-{quote}"


def name_of(code: str) -> str:
    """Return our name, without its broker, of a code of the JSON interface: ``"EURUSD"`` of ``"EUR-USD"``."""
    return code.translate(_NO_SEPARATORS).upper()


_NO_SEPARATORS = str.maketrans("", "", ".-/")


def known_point_e8(name: str) -> int | None:
    """
    Return the value of a point of ``name`` in 1e-8 units where that is common knowledge, else None.

    It counts only until the instrument's description has been read.
    """
    name = bare_name(name)
    places = _POINT_PLACES.get(name)
    if places is None and len(name) == 6 and {name[:3], name[3:]} <= _CURRENCIES:
        places = 3 if name[3:] in _THREE_PLACES else 5
    elif places is None and name[:-3].endswith(("IDX", "CMD")):
        places = 3
    return None if places is None else E8 // 10**places


@dataclass(frozen=True, slots=True)
class Instrument:
    """
    The description of an instrument.

    ``point_e8``: the value of a point, in 1e-8 units. ``group``: the broker's word, ``"FX_MAJORS"``. ``calendar``: its
    sessions and holidays. ``first_tick_us``: when its ticks begin, UTC microseconds, None where it is not said.
    ``time_zone``: IANA's name of its hours' zone.

    Source: ``/v1/instruments/EUR-USD``.
    """

    name: str
    base: str
    quote: str
    point_e8: int
    group: str
    calendar: Calendar
    first_tick_us: int | None
    time_zone: str = ""

    @property
    def symbol(self) -> Symbol:
        """The instrument as the program's symbol."""
        first_us = self.first_tick_us
        return Symbol(
            f"{BROKER}:{self.name}",
            self.base,
            self.quote,
            tick_size_e8=self.point_e8,
            exchange=_EXCHANGE,
            asset_class=asset_class_of(self.name, self.group),
            calendar=self.calendar.name,
            time_zone=self.time_zone,
            first_date=None if first_us is None else datetime.fromtimestamp(first_us // 1_000_000, UTC).date(),
        )


def asset_class_of(name: str, group: str = "") -> str:
    """Return the asset class by the broker's word for the group, or else by the name; empty if neither tells."""
    if group.startswith("FX"):
        return "forex"
    if group == "VCCY" or name in GROUPS["crypto"]:
        return "crypto"
    base, quote = name[:-3], name[-3:]
    if name in GROUPS["metals"]:
        return "metal"
    for kind, asset_class in _ASSET_CLASSES.items():
        if base.endswith(kind) and len(base) > len(kind) + 1:
            return asset_class
    return "forex" if len(name) == 6 and {base, quote} <= _CURRENCIES else ""


def decode_instrument(body: bytes) -> Instrument:
    """
    Return the description of an instrument.

    Raises:
        MalformedMessage: If it cannot be read.
    """
    try:
        answer = json.loads(body, parse_float=str)
        code = str(answer["code"])
        base, _, quote = str(answer.get("name") or code).replace("-", "/").rpartition("/")
        places = answer["priceScale"]
        if type(places) is not int or not 0 <= places <= 8:
            raise ValueError(f"priceScale is {places}")
        begins = [one["from"] for one in answer.get("histories") or () if one.get("period") == "TICK"]
        return Instrument(
            name_of(code),
            base.partition(".")[0],
            quote,
            E8 // 10**places,
            str(answer.get("groupCode") or ""),
            calendar_of(answer, f"{BROKER}:{name_of(code)}"),
            _us(begins[0]) if begins else None,
            str(answer["defaultTimezone"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise MalformedMessage(f"Dukascopy's description cannot be read: {reason}", sample=body[:100]) from error


def _us(milliseconds: object) -> int:
    if type(milliseconds) is not int:
        raise TypeError(f"{milliseconds!r} is no time in milliseconds")
    return milliseconds * 1_000
