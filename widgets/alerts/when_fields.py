"""The fields of a condition: its kind, and what that kind needs to know."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from app.market.alerts.language import read_rule
from app.market.errors import UsageError
from widgets.alerts.alert_views import DrawingChoice
from widgets.alerts.when_form import FIELDS, USUAL, WhenKind, form_of_rule, text_of_form
from widgets.controls.flow_layout import FlowLayout
from widgets.controls.labels import label
from widgets.dialogs.form_parts import combo
from widgets.theme import icons, style

_WAYS = {"": "either way", "up": "upwards", "down": "downwards"}
_TIMES = "30s 1m 5m 15m 30m 1h 4h 1d".split()
_CANDLES = "1m 5m 15m 30m 1h 4h 1d".split()
_LASTING = "5s 10s 30s 1m 5m".split()
_INDICATORS = "rsi:14 ema:20 ema:50 sma:20 sma:200 macd:12:26:9 bollinger:20:2 atr:14 cvd".split()
# The field, what is read out, what stands after it, and its width at the usual size of text.
_TEXTS = {
    "price": ("Price", "", 96),
    "low": ("Lower price", "to", 96),
    "high": ("Higher price", "", 96),
    "percent": ("Percent", "% within", 56),
    "multiple": ("Multiple", "times the average of", 48),
    "candles": ("Candles", "candles", 48),
    "target": ("Value or indicator to cross", "", 96),
    "text": ("Condition", "", 260),
}


_ORDER = "drawing indicator way price low high percent within multiple candles target lasting text".split()


def _narrow(box: QComboBox, letters: int) -> None:
    """Make a field as wide as its usual texts, and not as its longest one."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)


class WhenFields(QWidget):
    """
    Edits a condition. ``candle`` is the field of its candle's length, to be placed by the owner.

    Signals:
        changed(): `text` is another one.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Sequence[WhenKind] = tuple(WhenKind)
        self._drawings: dict[str, DrawingChoice] = {}
        self._colour = ""  # of icons
        self.kind = QComboBox()
        self.kind.setAccessibleName("When")
        _narrow(self.kind, 12)
        for kind in self.kinds:
            self.kind.addItem(kind.value)
        self.fields: dict[str, QLineEdit | QComboBox] = {}
        self._beside: dict[str, QWidget] = {}
        for name, (spoken, after, width) in _TEXTS.items():
            edit = QLineEdit(USUAL.get(name, ""))
            edit.setAccessibleName(spoken)
            edit.setAlignment(Qt.AlignmentFlag.AlignLeft if name == "text" else Qt.AlignmentFlag.AlignRight)
            style.sized(edit, minimum_width=width, maximum_width=width if name != "text" else 2 * width)
            edit.textEdited.connect(self.changed)
            self.fields[name] = edit
            if after:
                self._beside[name] = label(after, "dim")
        way = QComboBox()
        way.setAccessibleName("Direction")
        _narrow(way, 7)
        for key, text in _WAYS.items():
            way.addItem(text, key)
        way.currentIndexChanged.connect(self.changed)
        self.fields["way"] = way
        drawing = QComboBox()
        drawing.setAccessibleName("Drawing")
        _narrow(drawing, 24)
        style.sized(drawing, icon_size=16)
        drawing.currentIndexChanged.connect(self._on_drawing)
        self.fields["drawing"] = drawing
        for name, texts, spoken in (
            ("within", _TIMES, "Within"),
            ("lasting", _LASTING, "For"),
            ("indicator", _INDICATORS, "Indicator"),
        ):
            box = combo(texts, USUAL[name], spoken)
            box.currentTextChanged.connect(self.changed)
            self.fields[name] = box
        self._beside["lasting"] = label("long", "dim")
        self.candle = combo(_CANDLES, USUAL["of"], "Candle")
        self.candle.setParent(self)  # until the editor places it: shown by itself, it would be a window
        self.candle.setMinimumContentsLength(3)
        self.candle.currentTextChanged.connect(self.changed)
        self._layout = FlowLayout.of(self.kind, *self._in_order(), spacing=8)
        self.setLayout(self._layout)
        self.setFocusProxy(self.kind)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self._on_kind()

    @property
    def current_kind(self) -> WhenKind:
        """The kind that is chosen."""
        return self.kinds[self.kind.currentIndex()]

    @property
    def text(self) -> str:
        """The condition as it is written; it may not be one yet."""
        values = {name: self._value(name) for name in self.fields}
        if "way" not in self._shown_fields():
            values["way"] = ""
        return text_of_form(self.current_kind, {**values, "of": self.candle.currentText().strip()})

    @property
    def is_filled(self) -> bool:
        """Whether no field of the kind is empty."""
        return all(self._value(name) or name == "way" for name in FIELDS[self.current_kind])

    @property
    def lacks_drawings(self) -> bool:
        """Whether a drawing is to be chosen and there is none."""
        return self.current_kind is WhenKind.DRAWING and not self._drawings and not self._value("drawing")

    def set_text(self, text: str) -> None:
        """Show a condition; one that cannot be read is shown as text."""
        try:
            kind, values = form_of_rule(read_rule(text))
        except UsageError:
            kind, values = (WhenKind.TEXT, {"text": text}) if text else (WhenKind.CROSSES, {"price": ""})
        self.blockSignals(True)
        for name, value in values.items():
            if name in self.fields:
                self._set_value(name, value)
        self.candle.setCurrentText(values.get("of", USUAL["of"]))
        self.kind.setCurrentIndex(self.kinds.index(kind))
        self.blockSignals(False)
        self._on_kind()

    def set_drawings(self, drawings: Sequence[DrawingChoice]) -> None:
        """Offer these drawings; the chosen one stays, as long as it is among them or its alert is edited."""
        offered = {one.drawing_id: one for one in drawings}
        if offered == self._drawings:
            return
        chosen, self._drawings = self._value("drawing"), offered
        self._fill_drawings(chosen)
        self._show_fields()
        self.changed.emit()

    def set_icon_colour(self, colour: str) -> None:
        """Draw the icons of drawings in a colour."""
        if colour != self._colour:
            self._colour = colour
            self._fill_drawings(self._value("drawing"))

    def set_level(self, at: int, price: float) -> None:
        """Wait at another price: the first or the second of the condition's."""
        names = [name for name in FIELDS[self.current_kind] if name in ("price", "low", "high")]
        if at < len(names):
            self._set_value(names[at], f"{price:.8f}".rstrip("0").rstrip("."))
            self.changed.emit()

    def focus_value(self) -> None:
        """Put the focus into the first value that is typed, with all of it selected; without one, on the kind."""
        shown = [self.fields[name] for name in _ORDER if name in self._shown_fields()]
        typed = next((field for field in shown if isinstance(field, QLineEdit)), None)
        if typed is None:
            self.setFocus()
            return
        typed.setFocus()
        typed.selectAll()

    def set_candle_shown(self, *, shown: bool) -> None:
        """Show the candle's length or not: troubles have none."""
        self.candle.setVisible(shown)

    def _in_order(self) -> list[QWidget]:
        found: list[QWidget] = []
        for name in _ORDER:
            found.append(self.fields[name])
            if name in self._beside:
                found.append(self._beside[name])
        return found

    def _value(self, name: str) -> str:
        field = self.fields[name]
        if isinstance(field, QLineEdit):
            return field.text().strip()
        return str(field.currentData() or "") if name in ("way", "drawing") else field.currentText().strip()

    def _set_value(self, name: str, value: str) -> None:
        field = self.fields[name]
        if isinstance(field, QLineEdit):
            field.setText(value)
        elif name == "way":
            field.setCurrentIndex(list(_WAYS).index(value))
        elif name == "drawing":
            self._fill_drawings(value)
        else:
            field.setCurrentText(value)

    def _fill_drawings(self, chosen: str) -> None:
        """List the drawings, with one more if an alert's drawing is not among them."""
        box = self.fields["drawing"]
        assert isinstance(box, QComboBox)
        box.blockSignals(True)
        box.clear()
        for one in self._drawings.values():
            box.addItem(icons.icon(one.icon, self._colour) if self._colour else QIcon(), one.title, one.drawing_id)
        if chosen and chosen not in self._drawings:
            box.addItem("A drawing that was removed", chosen)
        box.setCurrentIndex(max(box.findData(chosen), 0))
        box.setToolTip(box.currentText())
        box.blockSignals(False)

    def _on_drawing(self) -> None:
        box = self.fields["drawing"]
        assert isinstance(box, QComboBox)
        box.setToolTip(box.currentText())
        self._show_fields()
        self.changed.emit()

    def _on_kind(self) -> None:
        self._show_fields()
        self.changed.emit()

    def _shown_fields(self) -> tuple[str, ...]:
        drawing = self._drawings.get(self._value("drawing"))
        if self.current_kind is WhenKind.DRAWING and drawing is not None and not drawing.has_sides:
            return ("drawing",)
        return FIELDS[self.current_kind]

    def _show_fields(self) -> None:
        shown = self._shown_fields()
        for name, field in self.fields.items():
            field.setVisible(name in shown)
            if name in self._beside:
                self._beside[name].setVisible(name in shown)
        self.set_candle_shown(shown=not self.current_kind.is_trouble)
        self._layout.invalidate()
        self.updateGeometry()
