"""
Changes to a JSON text that keep it valid JSON, because invalid JSON is refused before anything interesting happens.

The same seed makes the same change.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 0.0, -0.5, 1e308),
    *(1723161255342, 1723161255342000, "", "0", "-1.00000000", "0.00000000", "0.00000001", "99999999999.99999999"),
    *("1000000000000.00000000", "1e5", "NaN", "Infinity", " 1.00000000", "1.000000001", "٣.00000000", "1_0.00000000"),
    *("+1.00000000", ".00000001", "1.", "x" * 41, "9" * 60, "9" * 5000, "\x00", "\ud800", "é", "BTCUSDT"),
    *("trade", "24hrMiniTicker", "serverShutdown", [], {}, [[]], [1, "1"], {"data": {}}, {"e": "trade"}),
)
_NAMES = (
    "e E s t p q T m u b B a A c o h l v f data stream id result code msg error symbol price qty time limit".split()
)


def mutated(text: bytes, seed: int) -> bytes:
    """Return the JSON text with one to three changes; any other text is returned unchanged."""
    dice = random.Random(seed)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for _ in range(dice.randint(1, 3)):
        value = _changed(value, dice)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")


def _changed(value: Any, dice: random.Random) -> Any:
    """Change one thing at a random depth."""
    if isinstance(value, (dict, list)) and value and dice.random() < 0.8:
        key = dice.choice(list(value)) if isinstance(value, dict) else dice.randrange(len(value))
        match dice.randrange(8):
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[dice.choice(_NAMES)] = copy.deepcopy(value[key])
            case 1:
                value.append(copy.deepcopy(value[key]))  # type: ignore[union-attr]  # because it is the list
            case _:
                value[key] = _changed(value[key], dice)
        return value
    match dice.randrange(4):
        case 0 if isinstance(value, str) and value:
            at = dice.randrange(len(value))
            return value[:at] + dice.choice("0123456789.-e \x00é") + value[at + dice.randrange(2) :]
        case 0 if isinstance(value, (int, float)):
            return value + dice.choice((-1, 1, 10**6, -(10**6)))
        case 1 if isinstance(value, (int, float)):
            return str(value)
        case 1 if isinstance(value, str) and value.replace(".", "", 1).isdigit() and len(value) < 300:
            return float(value)
        case _:
            return copy.deepcopy(dice.choice(_VALUES))
