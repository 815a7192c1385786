"""
The panel for one study's parameters and lines. Changes take effect on the chart at once.

A repeated parameter, such as the period of a moving average, has a row for each of its values, with the look of its
line beside it; rows can be added and removed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.market.indicators import Output, Parameter, Placement, Shape
from app.market.indicators.definition import MOST_REPEATS, EntrySetting, Setting
from widgets.chart.indicators.line_controls import ColourButton, LineControls
from widgets.chart.indicators.study import Study
from widgets.chart.model.line_style import LineStyle
from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX, _MARGIN_PX = 400, 8
_CROSS_PX = 14
_FIELD_MARGIN_PX = 6  # aligns numbers with choices: a stylesheet's padding does not apply within a spin box


class SettingsPanel(Popup):
    """
    A popup with one study's settings.

    Signals:
        changed(str, dict, dict, dict): set these settings, and these colours and styles by output, for the study of
            that key.
        fitted_changed(str, bool): have the automatic price axis follow the study of that key, or not.
        remove_requested(str): remove the study of that key.
    """

    changed = Signal(str, dict, dict, dict)
    fitted_changed = Signal(str, bool)
    remove_requested = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._study: Study | None = None
        self._palette = DARK
        self._readers: dict[str, Callable[[], Setting]] = {}
        self._repeats: list[Callable[[], Setting]] = []  # of the repeated parameter, one for each row
        self._colours: dict[str, str] = {}
        self._styles: dict[str, LineStyle] = {}
        self.fields: dict[str, QWidget] = {}
        self.repeat_fields: list[QWidget] = []
        self.remove_buttons: list[QToolButton] = []
        self.lines: dict[str, LineControls] = {}
        self._title = label("", font=style.font(style.BODY_PX, QFont.Weight.DemiBold))
        self._about = label("", "dim", style.font(style.SMALL_PX))
        self._about.setWordWrap(True)
        self._refusal = label("", "warning", style.font(style.SMALL_PX))
        self._refusal.setWordWrap(True)
        self._refusal.hide()
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # The panel's own ground shows through.
        self._scroll.setStyleSheet("QScrollArea, QWidget#settingsForm { background: transparent; }")
        self.fit = QCheckBox("Fit the price axis to it")
        self.fit.clicked.connect(self._choose_fitted)
        self.add = QPushButton()
        self.usual = QPushButton("Reset")
        self.usual.setToolTip("Back to the usual parameters, colours and lines")
        self.remove = QPushButton("Remove")
        self.done = QPushButton("Done")
        self.done.setDefault(True)
        self._lay_out()
        self.add.clicked.connect(self._add_repeat)
        self.usual.clicked.connect(self._reset)
        self.remove.clicked.connect(self._remove)
        self.done.clicked.connect(self.dismiss)

    @property
    def swatches(self) -> dict[str, ColourButton]:
        """The buttons of the lines' colours, by output."""
        return {name: line.colour for name, line in self.lines.items()}

    def open_for(self, study: Study, palette: Palette, top_left: QPoint, *, axis_follows_all: bool = False) -> None:
        """
        Show a study's settings, the top left corner at a point of the window.

        ``axis_follows_all``: the automatic price axis follows all studies over the prices, so that one has no choice.
        """
        self.fit.setVisible(study.placement is Placement.PRICE)
        self.fit.setEnabled(not axis_follows_all)
        self.fit.setChecked(study.is_fitted or axis_follows_all)
        self.fit.setToolTip("“Fit prices only” is off: the axis follows all indicators" if axis_follows_all else "")
        self._study, self._palette = study, palette
        self._colours, self._styles = dict(study.colours), dict(study.styles)
        self.setAccessibleName(f"Settings of {study.label}")
        self._title.setText(study.indicator.title)
        self._about.setText(study.indicator.about)
        self._build(study)
        first = next(iter((*self.repeat_fields, *self.fields.values())), self.done)
        self.open_at(top_left, first)
        self._fit()
        if isinstance(first, QSpinBox | QDoubleSpinBox):
            first.selectAll()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self._show_colours()

    def sizeHint(self) -> QSize:
        margins = self._box.contentsMargins()
        edges = self.size() - self.contentsRect().size()
        around, form = margins.left() + margins.right() + edges.width(), self._scroll.widget()
        # As wide as the rows' texts need: one that is cut cannot be read.
        needed = form.sizeHint().width() + around if form is not None else 0
        width = min(max(style.px(_WIDTH_PX), needed), self._window.width() - 2 * _MARGIN_PX)
        inside = width - around
        above = [self._title.sizeHint().height(), self._about.heightForWidth(inside), self._form_height()]
        if not self.fit.isHidden():
            self.fit.ensurePolished()
            above.append(self.fit.sizeHint().height())
        if not self._refusal.isHidden():
            above.append(self._refusal.heightForWidth(inside))
        rows = sum(above) + self.done.sizeHint().height() + len(above) * self._box.spacing()
        return QSize(
            width, min(rows + margins.top() + margins.bottom() + edges.height(), self._window.height() - 2 * _MARGIN_PX)
        )

    def _form_height(self) -> int:
        form = self._scroll.widget()
        return form.sizeHint().height() if form is not None else 0

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.dismiss()
        super().keyPressEvent(event)

    def _fit(self) -> None:
        """Take the size of the rows, and stay within the window."""
        self.resize(self.sizeHint())
        self.move(self.x(), max(_MARGIN_PX, min(self.y(), self._window.height() - self.height() - _MARGIN_PX)))

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
        self._box.addWidget(self._scroll, 1)
        self._box.addWidget(self.fit)
        self._box.addWidget(self._refusal)
        self._box.addLayout(buttons)

    def _build(self, study: Study) -> None:
        self.add.setParent(None)  # it outlives the rows, which are made again
        form = QWidget()
        form.setObjectName("settingsForm")
        rows = QFormLayout(form)
        rows.setContentsMargins(0, 4, 0, 4)
        rows.setVerticalSpacing(8)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._readers, self.fields, self.lines = {}, {}, {}
        self._repeats, self.repeat_fields, self.remove_buttons = [], [], []
        repeated = study.indicator.repeated
        for parameter in study.indicator.parameters:
            if parameter.name == repeated:
                self._add_repeat_rows(rows, study, parameter)
                continue
            field, self._readers[parameter.name] = self._field(parameter, study.settings[parameter.name])
            field.setAccessibleName(parameter.title)
            self.fields[parameter.name] = field
            rows.addRow(label(parameter.title, "dim"), field)
        for output in study.outputs if not repeated else ():
            title = output.title or "Line"
            rows.addRow(label(title, "dim"), self._line(study, output, title))
        self._scroll.setWidget(form)
        self._show_colours()

    def _add_repeat_rows(self, rows: QFormLayout, study: Study, parameter: Parameter) -> None:
        """Add a row for each value of the repeated parameter, with the look of its line, and a button for one more."""
        value = study.settings[parameter.name]
        several = value if isinstance(value, tuple) else (value,)
        for at, (each, output) in enumerate(zip(several, study.outputs, strict=True)):
            title = f"{parameter.title} {at + 1}" if len(several) > 1 else parameter.title
            field, reader = self._field(parameter, each)
            field.setAccessibleName(title)
            field.setFixedWidth(style.px(84))
            self._repeats.append(reader)
            self.repeat_fields.append(field)
            self.fields.setdefault(parameter.name, field)
            row = QHBoxLayout()
            row.setSpacing(6)
            row.addWidget(field)
            row.addWidget(self._line(study, output, title.lower()), 1)
            remove = QToolButton()
            remove.setIcon(icons.icon("close", self._palette.dim, _CROSS_PX))
            style.sized(remove, icon_size=_CROSS_PX)
            remove.setAccessibleName(f"Remove {title.lower()}")
            remove.setToolTip(remove.accessibleName())
            if len(several) == 1:
                remove.hide()
            remove.clicked.connect(partial(self._remove_repeat, at))
            self.remove_buttons.append(remove)
            row.addWidget(remove)
            rows.addRow(label(title, "dim"), row)
        self.add.setText(f"Add a {parameter.title.lower()}")
        rows.addRow("", self.add)
        self.add.setVisible(len(several) < MOST_REPEATS)

    def _line(self, study: Study, output: Output, title: str) -> LineControls:
        line = LineControls(title, study.style_of(output), has_style=output.shape is Shape.LINE)
        line.colour_chosen.connect(partial(self._choose_colour, output.name))
        line.style_chosen.connect(partial(self._choose_style, output.name))
        self.lines[output.name] = line
        return line

    def _field(self, parameter: Parameter, value: EntrySetting) -> tuple[QWidget, Callable[[], Setting]]:
        """Return a field for one value of a parameter, and a call that reads it."""
        if parameter.choices:
            choice = QComboBox()
            choice.addItems(parameter.choices)
            choice.setCurrentText(str(value))
            choice.currentTextChanged.connect(self._emit_changed)
            return choice, choice.currentText
        if isinstance(parameter.default, float):
            fraction = QDoubleSpinBox()
            fraction.setDecimals(2)
            fraction.setSingleStep(0.1)
            fraction.setRange(parameter.least, parameter.most)
            fraction.setValue(float(str(value)))
            fraction.lineEdit().setTextMargins(_FIELD_MARGIN_PX, 0, 0, 0)
            fraction.valueChanged.connect(self._emit_changed)
            return fraction, fraction.value
        whole = QSpinBox()
        whole.setRange(int(parameter.least), int(parameter.most))
        whole.setValue(int(str(value)))
        whole.lineEdit().setTextMargins(_FIELD_MARGIN_PX, 0, 0, 0)
        whole.valueChanged.connect(self._emit_changed)
        return whole, whole.value

    def _settings(self) -> dict[str, EntrySetting]:
        settings: dict[str, EntrySetting] = {name: read() for name, read in self._readers.items()}
        if self._study is not None and self._repeats:
            several = tuple(read() for read in self._repeats)
            settings[self._study.indicator.repeated] = several if len(several) > 1 else several[0]
        return settings

    def _choose_colour(self, output: str, colour: str) -> None:
        self._colours[output] = colour
        if not colour:
            del self._colours[output]
        self._emit_changed()

    def _choose_style(self, output: str, line_style: LineStyle) -> None:
        self._styles[output] = line_style
        self._emit_changed()

    def _emit_changed(self) -> None:
        if self._study is not None:
            self._request(self._study, self._settings())
        self._show_colours()

    def _request(self, study: Study, settings: dict[str, EntrySetting]) -> None:
        several = settings.get(study.indicator.repeated)
        is_doubled = isinstance(several, tuple) and len(set(several)) < len(several)
        # While a number is being typed it may be another row's for a moment.
        self._refusal.setText("Two rows have the same value: change one." if is_doubled else "")
        if self._refusal.isHidden() == is_doubled:
            self._refusal.setVisible(is_doubled)
            self._fit()
        if not is_doubled:
            self.changed.emit(study.key, settings, dict(self._colours), dict(self._styles))

    def _add_repeat(self) -> None:
        study, settings = self._study, self._settings()
        if study is None:
            return
        parameter = next(one for one in study.indicator.parameters if one.name == study.indicator.repeated)
        several = tuple(read() for read in self._repeats)
        settings[parameter.name] = (*several, _next_value(several, parameter))
        self._rebuild(settings)
        self.repeat_fields[-1].setFocus(Qt.FocusReason.OtherFocusReason)

    def _remove_repeat(self, at: int) -> None:
        study, settings = self._study, self._settings()
        if study is None or len(self._repeats) < 2:
            return
        names = [one.name for one in study.outputs]
        several = [read() for read in self._repeats]
        del several[at]
        settings[study.indicator.repeated] = tuple(several) if len(several) > 1 else several[0]
        # The lines below the removed one keep their looks, under the names of the lines above them.
        kept = names[:at] + names[at + 1 :]
        looks = [self._colours.get(old) or study.theme_colour(old) for old in kept]
        usual = [study.theme_colour(new) for new in names]
        moved = zip(names, kept, looks, usual, strict=False)
        self._colours = {new: look for new, _, look, own in moved if look != own}
        self._styles = {new: self._styles[old] for new, old in zip(names, kept, strict=False) if old in self._styles}
        self._rebuild(settings)
        self.repeat_fields[min(at, len(several) - 1)].setFocus(Qt.FocusReason.OtherFocusReason)

    def _rebuild(self, settings: dict[str, EntrySetting]) -> None:
        study = self._study
        if study is not None:
            self._request(study, settings)
            self._build(study)
            self._fit()

    def _show_colours(self) -> None:
        if self._study is not None:
            for name, line in self.lines.items():
                line.show_colours(self._study.drawn_as(self._palette, name), self._palette)

    def _reset(self) -> None:
        study = self._study
        if study is not None:
            self._colours, self._styles = {}, {}
            self._rebuild(dict(study.indicator.defaults))
            self.done.setFocus(Qt.FocusReason.OtherFocusReason)

    def _choose_fitted(self, fitted: bool) -> None:  # positional, because signals have no keyword arguments
        if self._study is not None:
            self.fitted_changed.emit(self._study.key, fitted)

    def _remove(self) -> None:
        if self._study is not None:
            key = self._study.key
            self.dismiss()
            self.remove_requested.emit(key)


def _next_value(several: tuple[Setting, ...], parameter: Parameter) -> int:
    """Return a value for one more row: a usual one beyond the largest, or any that is free."""
    taken = {int(str(one)) for one in several}
    usual = [one for one in (9, 20, 50, 100, 200) if one > max(taken)]
    free = [*usual, *range(min(2 * max(taken), int(parameter.most)), int(parameter.least) - 1, -1)]
    return int(next(one for one in free if one not in taken and parameter.allows(one)))
