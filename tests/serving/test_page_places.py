"""Where slots stand on the page's chart, against a list of those that are left; skipped where there is no Node.js."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

SLOTS = range(-15, 65)
SCRIPT = """
import { Places } from "./places.mjs";
import { readFileSync } from "node:fs";
const found = JSON.parse(readFileSync(0)).map(([breaks, anchor, slots]) => {
    const places = new Places(breaks, anchor);
    const of = slots.map((slot) => places.of(slot));
    return { of, back: of.map((place) => places.slot(place)), between: places.between(of[0], of.at(-1)) };
});
console.log(JSON.stringify(found));
"""


def some_breaks(chance: random.Random) -> list[tuple[int, int]]:
    breaks, at = [], chance.randrange(6)
    while at < 40:
        breaks.append((at, at + chance.randrange(1, 7)))
        at = breaks[-1][1] + chance.randrange(1, 9)
    return breaks


@pytest.fixture
def found_by(tmp_path: Path) -> Any:
    """Return what the page's module says of breaks and an anchor."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    module = resources.files("resources").joinpath("page", "places.js").read_text(encoding="utf-8")
    (tmp_path / "places.mjs").write_text(module, encoding="utf-8")
    (tmp_path / "script.mjs").write_text(SCRIPT, encoding="utf-8")

    def ask(questions: list[tuple[list[tuple[int, int]], int, list[int]]]) -> list[dict[str, list[int]]]:
        command = [node, str(tmp_path / "script.mjs")]
        done = subprocess.run(
            command, input=json.dumps(questions), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, list[int]]] = json.loads(done.stdout)
        return answers

    return ask


def test_slots_that_are_left_out_take_no_room_and_all_others_one_place_each(found_by: Any) -> None:
    chance = random.Random(5)
    questions = []
    for _ in range(200):
        breaks = some_breaks(chance)
        open_slots = [slot for slot in SLOTS if not any(begin <= slot < end for begin, end in breaks)]
        questions.append((breaks, chance.choice(open_slots), list(SLOTS)))
    for (breaks, anchor, slots), found in zip(questions, found_by(questions), strict=True):
        left = [slot for slot in range(SLOTS.start, SLOTS.stop + 10) if not any(b <= slot < e for b, e in breaks)]
        place = {slot: anchor + at - left.index(anchor) for at, slot in enumerate(left)}
        after = [next(one for one in left if one >= slot) for slot in slots]
        assert found["of"] == [place[slot] for slot in after]
        assert found["back"] == after
        assert found["between"] == [place[end] for begin, end in breaks]
    (plain,) = found_by([([], 7, list(SLOTS))])
    assert plain["of"] == plain["back"] == list(SLOTS)
