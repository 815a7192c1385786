"""
The templates of indicators of a running chart: their menu, and the line that takes a name.

Applying a template replaces all indicators. That, and replacing or deleting a template, can be undone at once, and
later on from the menu, which then offers to do it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.market.indicators import Placement
from widgets.chart.model.pane_layout import VOLUME, PaneLayout
from widgets.chart.model.templates import LONGEST_NAME, Templates, checked_name
from widgets.chart.panes.pane_set import TITLES, PaneSet
from widgets.controls.entry_line import EntryLine
from widgets.theme import style


@dataclass(frozen=True, slots=True)
class _Before:
    """What was there before a change: the indicators with their panes, or the templates. ``what`` names the change."""

    what: str
    studies: tuple[list[dict[str, Any]], PaneLayout] | None = None
    templates: list[Any] | None = None


class TemplateController:
    """
    The templates of one chart's panes. ``changed``: called after each change of templates or indicators.

    ``say``: shows a sentence for a while and, unless None, offers the call that undoes it. ``corner``: returns where a
    line to type into opens, a point of the window. ``before_change``: called before the indicators are replaced.
    """

    def __init__(
        self,
        chart: QWidget,
        panes: PaneSet,
        *,
        changed: Callable[[], object],
        say: Callable[[str, Callable[[], object] | None], object],
        corner: Callable[[], QPoint],
        before_change: Callable[[], object],
    ) -> None:
        self._chart, self._panes, self._changed, self._say = chart, panes, changed, say
        self._corner, self._before_change = corner, before_change
        self.templates = Templates()
        self._entry: TemplateEntry | None = None
        self._before: _Before | None = None  # the last change

    def restore(self, values: object) -> None:
        """Restore the templates from the values of `Templates.to_values`."""
        self.templates.restore(values)

    def fill_menu(self, menu: QMenu) -> None:
        """Add all templates to apply, and what can be done with them."""
        menu.setFont(style.font())
        names = self.templates.names
        for name in names:
            menu.addAction(_plain(name), partial(self.apply, name))
        if not names:
            menu.addAction("No templates yet").setEnabled(False)
        if self.templates.damaged:
            menu.addAction(f"{self.templates.damaged} could not be read and were left out").setEnabled(False)
        menu.addSeparator()
        save = menu.addAction("Save these indicators as…", self.open_save)
        save.setEnabled(len(self._panes.studies) > 0)
        for title, call in (("Rename", self.open_rename), ("Delete", self.delete)):
            inner = menu.addMenu(title)
            inner.setFont(style.font())
            inner.setEnabled(bool(names))
            for name in names:
                inner.addAction(_plain(name), partial(call, name))
        if self._before is not None:
            menu.addSeparator()
            menu.addAction(f"Take back: {_plain(self._before.what)}", self.undo)

    def open_menu(self, at: QPoint) -> None:
        """Open the menu of templates at a point of the screen."""
        menu = QMenu(self._chart)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_menu(menu)
        menu.popup(at)
        menu.setActiveAction(menu.actions()[0])

    def apply(self, name: str) -> None:
        """Replace all indicators by a template's. Indicators unknown here are left out."""
        name, wanted = self.templates.named(name) or name, self.templates.indicators(name)
        before = self._before = self._studies_now(f"apply “{name}”")
        layout = self._panes.layout
        for key in layout.keys:
            layout = layout if key in TITLES else layout.without(key)
        self._before_change()
        self._panes.restore(layout, wanted)
        is_over_volume = any(study.placement is Placement.VOLUME for study in self._panes.studies)
        if is_over_volume and not self._panes.style.underlaid and VOLUME not in self._panes.layout.keys:
            self._panes.open(VOLUME)
        else:
            self._panes.note_change()
        left_out = len(wanted) - len(self._panes.studies)
        lacking = f", but for {left_out} that this chart cannot show" if left_out else ""
        self._say(f"Template “{name}” applied{lacking}.", partial(self._take_back, before))

    def save(self, name: str) -> None:
        """Save the chart's indicators under a name, in place of the template that has it."""
        taken = self.templates.named(name)
        before = None if taken is None else self._templates_now(f"replace “{taken}”")
        self._before = before or self._before
        self.templates.save(name, self._panes.studies.to_values())
        self._changed()
        if before is None:
            self._say(f"Template “{name}” saved.", None)
        else:
            self._say(f"Template “{name}” saved in place of the one before.", partial(self._take_back, before))

    def rename(self, name: str, new_name: str) -> None:
        """Rename a template. Raises UsageError if another one has that name."""
        self.templates.rename(name, new_name)
        self._changed()

    def delete(self, name: str) -> None:
        """Delete a template."""
        before = self._before = self._templates_now(f"delete “{name}”")
        self.templates.remove(name)
        self._changed()
        self._say(f"Template “{name}” deleted.", partial(self._take_back, before))

    def undo(self) -> bool:
        """Take back what changed indicators or templates last, or do it again; False where there is nothing."""
        if self._before is None:
            return False
        self._take_back(self._before)
        return True

    def _take_back(self, before: _Before) -> None:
        if before.studies is not None:
            self._before = self._studies_now(before.what)
            studies, layout = before.studies
            self._before_change()
            self._panes.restore(layout, studies)
            self._panes.note_change()
        else:
            self._before = self._templates_now(before.what)
            self.templates.restore(before.templates)
        self._changed()

    def open_save(self) -> None:
        """Open the line that takes the name of a new template."""
        self._open_entry("", "Save indicators as a template", self.save)

    def open_rename(self, name: str) -> None:
        """Open the line that takes another name for a template."""
        self._open_entry(name, f"Rename “{name}”", partial(self.rename, name))

    def _open_entry(self, name: str, heading: str, take: Callable[[str], object]) -> None:
        if self._entry is not None:
            self._entry.dismiss()
            self._entry.deleteLater()
        self._entry = TemplateEntry(self._chart.window(), heading, self.templates, renamed=name)
        self._entry.name_chosen.connect(take)
        self._entry.open_with(name, self._corner())

    def forget_popups(self) -> None:
        """Delete the line to type into, which belongs to the window."""
        if self._entry is not None:
            self._entry.dismiss()
            self._entry.deleteLater()
            self._entry = None

    def _studies_now(self, what: str) -> _Before:
        return _Before(what, studies=(self._panes.studies.to_values(), self._panes.layout))

    def _templates_now(self, what: str) -> _Before:
        return _Before(what, templates=self.templates.to_values())


class TemplateEntry(EntryLine[str]):
    """
    A line that takes a template's name. ``renamed``: the template that gets another name; empty: a new one is saved.

    Signals:
        name_chosen(str): Enter was pressed on a valid name.
    """

    name_chosen = Signal(str)

    def __init__(self, window: QWidget, heading: str, templates: Templates, *, renamed: str) -> None:
        super().__init__(window, heading)
        self._templates, self._renamed = templates, renamed
        self.setAccessibleName(heading)
        self.edit.setAccessibleName("Name of the template")
        self.edit.setPlaceholderText("Trend")
        self.edit.setMaxLength(LONGEST_NAME)

    def open_with(self, text: str, top_left: QPoint) -> None:
        """Open with a name typed into the line, at a point of the window."""
        self.edit.setText(text)
        self.edit.selectAll()
        self._describe()
        self.open_at(top_left, self.edit)

    def _read(self, text: str) -> str:
        name = checked_name(text)
        if self._renamed:
            self._templates.check_free(name, besides=self._renamed)
        return name

    def _meaning(self, value: str) -> str:
        taken = None if self._renamed else self._templates.named(value)
        return f"Enter replaces the template “{taken}”" if taken is not None else "Enter to save"

    def _hint(self) -> str:
        return "A name to find these indicators by."

    def _take(self, value: str) -> None:
        self.name_chosen.emit(value)


def _plain(name: str) -> str:
    """Return a name as a menu shows it, without a key of its own."""
    return name.replace("&", "&&")
