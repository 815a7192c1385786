"""The edits of a step as JSON: of each the drawing before and after, null where there was none."""

from __future__ import annotations

import json
from collections.abc import Sequence

from app.market.drawings.drawing import Drawing
from app.market.drawings.drawing_json import drawing_text, read_known
from app.market.drawings.history import Edit


def edits_text(edits: Sequence[Edit]) -> str:
    """Return the JSON that `read_edits` reads."""
    return json.dumps([[drawing and drawing_text(drawing) for drawing in edit] for edit in edits])


def read_edits(text: str) -> tuple[Edit, ...]:
    """Return the edits; () if this program does not know them all, as of a newer one."""
    edits = list[Edit]()
    for before, after in json.loads(text):
        edit = Edit(_read(before), _read(after))
        if (edit.before is None) != (before is None) or (edit.after is None) != (after is None):
            return ()
        edits.append(edit)
    return tuple(edits)


def _read(text: str | None) -> Drawing | None:
    return None if text is None else read_known(text)
