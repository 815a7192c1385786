"""The panel for one study's parameters and colours. Changes take effect on the chart at once."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent
from PySide6.QtWidgets import (
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.market.indicators import Parameter
from app.market.indicators.definition import Setting
from widgets.chart.indicators.study import Study
from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX, _MARGIN_PX = 300, 8
_FIELD_MARGIN_PX = 6  # aligns numbers with choices: a stylesheet's padding does not apply within a spin box


class ColourButton(QPushButton):
    """
    Shows a colour; a click opens a dialog to choose another.

    Signals:
        colour_chosen(str): the user chose that colour, ``#rrggbb``.
    """

    colour_chosen = Signal(str)

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setAccessibleName(f"Colour of {title}")
        self.setFixedSize(QSize(56, 26))
        self._colour = QColor()
        self.clicked.connect(self._open_dialog)

    def show_colour(self, colour: QColor, palette: Palette) -> None:
        self._colour = colour
        self.setToolTip(colour.name())
        self.setStyleSheet(
            f"QPushButton {{ background: {colour.name()}; border: 1px solid {palette.line}; border-radius: 4px; }}"
            f"QPushButton:focus {{ border: 2px solid {palette.text}; }}"
        )

    def _open_dialog(self) -> None:
        # open(), not exec(), whose nested event loop would hold up the program's own.
        dialog = QColorDialog(self._colour, self.window())
        dialog.setWindowTitle(self.accessibleName())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda chosen: self.colour_chosen.emit(chosen.name()))
        dialog.open()


class SettingsPanel(Popup):
    """
    A popup with one study's settings.

    Signals:
        changed(str, dict, dict): set these settings, and these colours by output, for the study of that key.
        remove_requested(str): remove the study of that key.
    """

    changed = Signal(str, dict, dict)
    remove_requested = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._study: Study | None = None
        self._palette = DARK
        self._readers: dict[str, Callable[[], Setting]] = {}
        self._colours: dict[str, str] = {}
        self.fields: dict[str, QWidget] = {}
        self.swatches: dict[str, ColourButton] = {}
        self._title = label("", font=style.font(style.BODY_PX, QFont.Weight.DemiBold))
        self._about = label("", "dim", style.font(style.SMALL_PX))
        self._about.setWordWrap(True)
        self._form = QWidget()
        self.usual = QPushButton("As usual")
        self.usual.setToolTip("Back to the usual parameters and the theme's colours")
        self.remove = QPushButton("Remove")
        self.done = QPushButton("Done")
        self.done.setDefault(True)
        self._lay_out()
        self.usual.clicked.connect(self._reset)
        self.remove.clicked.connect(self._remove)
        self.done.clicked.connect(self.dismiss)

    def open_for(self, study: Study, palette: Palette, top_left: QPoint) -> None:
        """Show a study's settings, the top left corner at a point of the window."""
        self._study, self._palette = study, palette
        self._colours = dict(study.colours)
        self.setAccessibleName(f"Settings of {study.label}")
        self._title.setText(study.indicator.title)
        self._about.setText(study.indicator.about)
        self._build(study)
        first = next(iter(self.fields.values()), self.done)
        self.open_at(top_left, first)
        self.move(self.x(), max(_MARGIN_PX, min(self.y(), self._window.height() - self.height() - _MARGIN_PX)))
        if isinstance(first, QSpinBox | QDoubleSpinBox):
            first.selectAll()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self._show_colours()

    def sizeHint(self) -> QSize:
        return QSize(style.px(_WIDTH_PX), super().sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.dismiss()
        super().keyPressEvent(event)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.remove)
        buttons.addWidget(self.usual)
        buttons.addStretch(1)
        buttons.addWidget(self.done)
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(16, 14, 16, 14)
        self._box.setSpacing(10)
        self._box.addWidget(self._title)
        self._box.addWidget(self._about)
        self._box.addWidget(self._form)
        self._box.addLayout(buttons)

    def _build(self, study: Study) -> None:
        form = QWidget()
        rows = QFormLayout(form)
        rows.setContentsMargins(0, 4, 0, 4)
        rows.setVerticalSpacing(8)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._readers, self.fields, self.swatches = {}, {}, {}
        for parameter in study.indicator.parameters:
            field = self._field(parameter, study.settings[parameter.name])
            field.setAccessibleName(parameter.title)
            self.fields[parameter.name] = field
            rows.addRow(label(parameter.title, "dim"), field)
        for output in study.indicator.outputs:
            title = output.title or "Line"
            swatch = ColourButton(title)
            swatch.colour_chosen.connect(lambda colour, name=output.name: self._colour(name, colour))
            self.swatches[output.name] = swatch
            rows.addRow(label(title, "dim"), swatch)
        self._box.replaceWidget(self._form, form)
        self._form.deleteLater()
        self._form = form
        self._form.show()
        self._show_colours()

    def _field(self, parameter: Parameter, value: Setting) -> QWidget:
        if parameter.choices:
            choice = QComboBox()
            choice.addItems(parameter.choices)
            choice.setCurrentText(str(value))
            choice.currentTextChanged.connect(self._emit_changed)
            self._readers[parameter.name] = choice.currentText
            return choice
        if isinstance(parameter.default, float):
            fraction = QDoubleSpinBox()
            fraction.setDecimals(2)
            fraction.setSingleStep(0.1)
            fraction.setRange(parameter.least, parameter.most)
            fraction.setValue(float(value))
            fraction.lineEdit().setTextMargins(_FIELD_MARGIN_PX, 0, 0, 0)
            fraction.valueChanged.connect(self._emit_changed)
            self._readers[parameter.name] = fraction.value
            return fraction
        whole = QSpinBox()
        whole.setRange(int(parameter.least), int(parameter.most))
        whole.setValue(int(value))
        whole.lineEdit().setTextMargins(_FIELD_MARGIN_PX, 0, 0, 0)
        whole.valueChanged.connect(self._emit_changed)
        self._readers[parameter.name] = whole.value
        return whole

    def _colour(self, output: str, colour: str) -> None:
        self._colours[output] = colour
        self._emit_changed()

    def _emit_changed(self) -> None:
        if self._study is not None:
            self.changed.emit(
                self._study.key, {name: read() for name, read in self._readers.items()}, dict(self._colours)
            )
        self._show_colours()

    def _show_colours(self) -> None:
        if self._study is not None:
            for name, swatch in self.swatches.items():
                swatch.show_colour(self._study.colour_of(self._palette, name), self._palette)

    def _reset(self) -> None:
        study = self._study
        if study is not None:
            self._colours = {}
            self.changed.emit(study.key, study.indicator.defaults, {})
            self._build(study)
            self.done.setFocus(Qt.FocusReason.OtherFocusReason)

    def _remove(self) -> None:
        if self._study is not None:
            key = self._study.key
            self.dismiss()
            self.remove_requested.emit(key)
