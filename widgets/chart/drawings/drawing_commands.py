"""What the commands of `widgets.keys` do with the drawings of a chart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from app.market.drawings.drawing import Drawing, DrawingKind
from widgets.chart.drawings.chart_drawings import ChartDrawings
from widgets.chart.drawings.kinds import KINDS
from widgets.keys import key_in_brackets

_FAR = 10  # steps of a key with Shift
_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}


def drawing_commands(drawings: ChartDrawings) -> dict[str, Callable[[], object]]:
    """Return the calls by the commands' names; one returns False if it had nothing to do."""
    with_chosen: dict[str, Callable[[Drawing], object]] = {
        "copy_drawing": drawings.copy,
        "cut_drawing": partial(_cut, drawings),
        "duplicate_drawing": drawings.duplicate,
        "edit_drawing": drawings.edit_text,
        "lock_drawing": lambda drawing: drawings.change(drawing, locked=not drawing.locked),
        "hide_drawing": lambda drawing: drawings.change(drawing, hidden=not drawing.hidden),
        "drawing_to_front": drawings.bring_to_front,
        "drawing_to_back": drawings.send_to_back,
        "drawing_menu": drawings.open_menu,
        "alert_drawing": drawings.ask_for_alert,
    }
    return {
        **{info.command: partial(_toggle_tool, drawings, kind) for kind, info in KINDS.items()},
        **{name: partial(_with_chosen, drawings, call) for name, call in with_chosen.items()},
        **{f"drawing_{name}": partial(drawings.keys.move, *by) for name, by in _STEPS.items()},
        **{f"drawing_far_{name}": partial(drawings.keys.move, _FAR * x, _FAR * y) for name, (x, y) in _STEPS.items()},
        "remove_drawing": drawings.remove_chosen,
        "place_point": drawings.keys.place_point,
        "drawing_point": drawings.keys.hold_next_point,
        "paste_drawing": drawings.paste,
        "next_drawing": partial(_choose_beside, drawings, 1),
        "previous_drawing": partial(_choose_beside, drawings, -1),
        "lock_drawings": lambda: drawings.lock_all(locked=not drawings.is_locked),
        "hide_drawings": lambda: drawings.show_all(shown=not drawings.is_shown),
        "keep_tool": lambda: drawings.keep_tool(keeps=not drawings.keeps_tool),
    }


def drawing_reasons(drawings: ChartDrawings) -> dict[str, Callable[[], str]]:
    """Return why a command cannot run now, by the commands' names; empty texts where it can."""
    choose = f"Choose a drawing first{key_in_brackets('next_drawing')}."
    on_chosen = ["drawing_menu", "drawing_point", "drawing_to_front", "drawing_to_back"]
    on_chosen += [f"{name}_drawing" for name in ("remove", "copy", "cut", "duplicate", "edit", "lock", "hide")]
    moves = [f"{name}_{step}" for name in ("drawing", "drawing_far") for step in _STEPS]
    return {
        **dict.fromkeys(moves, lambda: "" if drawings.takes_keys else choose),
        **dict.fromkeys(on_chosen, lambda: "" if drawings.chosen is not None else choose),
        "alert_drawing": lambda: _no_alert_reason(drawings) if drawings.chosen is not None else choose,
        **dict.fromkeys(
            ("next_drawing", "previous_drawing"), lambda: "" if drawings.drawings else "There is no drawing yet."
        ),
        "place_point": lambda: "" if drawings.tool is not None else "Choose a drawing tool first.",
    }


def _toggle_tool(drawings: ChartDrawings, kind: DrawingKind) -> None:
    drawings.take_tool(None if drawings.tool is kind else kind)


def _with_chosen(drawings: ChartDrawings, call: Callable[[Drawing], object]) -> bool:
    drawing = drawings.chosen
    if drawing is not None:
        call(drawing)
    return drawing is not None


def _no_alert_reason(drawings: ChartDrawings) -> str:
    info = KINDS[drawings.chosen.kind] if drawings.chosen is not None else None
    return "" if info is None or info.has_lines else f"A {info.title.lower()} has no line for the price to cross."


def _choose_beside(drawings: ChartDrawings, by: int) -> bool:
    """Choose the drawing ``by`` places after the chosen one in the order of painting."""
    shown = [one.id for one in drawings.drawings if not one.hidden] if drawings.is_shown else []
    if not shown:
        return False
    chosen = "" if drawings.chosen is None else drawings.chosen.id
    at = shown.index(chosen) if chosen in shown else (-1 if by > 0 else 0)
    drawings.choose(shown[(at + by) % len(shown)])
    return True


def _cut(drawings: ChartDrawings, drawing: Drawing) -> None:
    drawings.copy(drawing)
    drawings.remove_chosen()
