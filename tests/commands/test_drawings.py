"""The commands ``cryptopipe drawings …``."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from app.commands import drawings
from app.main import main
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.drawings.drawing_json import file_text
from tests.commands.play import Play

ANCHORS = (Anchor(1_700_000_000_000_000, 1.5), Anchor(2, 3.0))
LINE = Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.TREND_LINE, ANCHORS)
NOTE = Drawing(str(uuid.uuid4()), "ETHUSDT", DrawingKind.NOTE, (Anchor(5, 7.0),), text="a\nb", extra={"new": [1]})


def run(play: Play, *arguments: object) -> tuple[int, str, str]:
    code = main(["drawings", *map(str, arguments)])
    return code, *play.capsys.readouterr()


def document(play: Play, *arguments: object) -> Any:
    code, printed, said = run(play, *arguments, "--json")
    assert (code, said) == (0, "")
    return json.loads(printed)


def test_what_is_imported_is_exported_without_loss(play: Play) -> None:
    text = file_text([LINE, NOTE])
    given = play.file("drawings.json", text)
    assert document(play, "import", given) == {"stored": 2, "replaced": 0}
    marked = play.file("marked.json", "\ufeff" + text)  # as some editors write UTF-8
    assert document(play, "import", marked) == {"stored": 2, "replaced": 2}
    assert run(play, "export") == (0, text, "")
    assert run(play, "export", "btc/usdt")[1] == file_text([LINE])
    out = play.folder / "out.json"
    assert document(play, "export", "--out", out) == {"path": str(out), "drawings": 2}
    assert out.read_text() == text
    assert document(play, "import", out) == {"stored": 2, "replaced": 2}
    assert [one["revision"] for one in document(play, "list")] == [5, 6]
    code, printed, _ = run(play, "list", "ETHUSDT")
    assert code == 0
    assert "a b" in printed
    assert NOTE.id in printed
    assert LINE.id not in printed


def test_drawings_are_copied_to_another_symbol(play: Play) -> None:
    given = play.file("drawings.json", file_text([LINE, NOTE]))
    run(play, "import", given)
    assert document(play, "import", given, "--to", "ethusdt") == {"stored": 2, "replaced": 1}
    found = {(one["symbol"], one["kind"]): one["id"] for one in document(play, "list")}
    assert sorted(found) == [("BTCUSDT", "trend_line"), ("ETHUSDT", "note"), ("ETHUSDT", "trend_line")]
    assert (found["BTCUSDT", "trend_line"], found["ETHUSDT", "note"]) == (LINE.id, NOTE.id)


def test_drawings_are_removed_by_id_or_all(play: Play) -> None:
    run(play, "import", play.file("drawings.json", file_text([LINE, NOTE])))
    code, _, said = run(play, "remove", "BTCUSDT")
    assert (code, said.count("\n")) == (2, 1)
    code, _, said = run(play, "remove", "BTCUSDT", NOTE.id)
    assert code == 1
    assert "has no drawing" in said
    assert document(play, "remove", "BTCUSDT", LINE.id) == {"removed": [LINE.id]}
    assert document(play, "remove", "ETHUSDT", "--all") == {"removed": [NOTE.id]}
    assert document(play, "list") == []
    assert "No drawings" in run(play, "list")[1]


@pytest.mark.parametrize("text", ["", "{}", file_text([LINE]).replace("trend_line", "pitchfork"), None])
def test_a_file_that_is_none_is_refused_in_one_sentence(play: Play, text: str | None) -> None:
    path: Path = play.folder / "none.json" if text is None else play.file("wrong.json", text)
    code, printed, said = run(play, "import", path)
    assert code in (1, 2)
    assert printed == ""
    assert said.count("\n") == 1
    assert str(path) in said
    assert document(play, "list") == []


def test_one_drawing_is_said_in_the_singular() -> None:
    assert drawings._are(1, "BTCUSDT") == "1 drawing of BTCUSDT is"
    assert drawings._are(1_200) == "1,200 drawings are"
