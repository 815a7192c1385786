"""The lower part of the side panel: pages under tabs, such as the quote and the list of drawings."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from widgets.theme import style

HEIGHT = 32


class PanelPages(QWidget):
    """
    Shows one page at a time.

    Signals:
        shown(object): the page `QWidget` that is shown now.
    """

    shown = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panelPages")
        self.tabs = _Tabs()
        self.tabs.setObjectName("panelTabs")
        self.tabs.setAccessibleName("Pages of the side panel")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setFont(style.font())
        self._titles: list[str] = []
        self._counts: list[int] = []
        self._stack = QStackedWidget()
        self._row = QHBoxLayout()
        self._row.setContentsMargins(8, 4, 16, 0)
        self._row.addWidget(self.tabs)
        self._row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row)
        column.addWidget(self._stack, 1)
        self.tabs.currentChanged.connect(self._show)

    def add(self, title: str, page: QWidget) -> None:
        """Add a page under a tab."""
        self._titles.append(title)
        self._counts.append(0)
        self._stack.addWidget(page)
        self.tabs.addTab(title)

    def add_to_row(self, button: QWidget) -> None:
        """Put a button at the right of the tabs."""
        self._row.addWidget(button)

    def set_count(self, page: QWidget, count: int) -> None:
        """Say on a page's tab how many entries it has; 0 says nothing."""
        at = self._stack.indexOf(page)
        if self._counts[at] != count:
            self._counts[at] = count
            self._show_titles()

    def show_page(self, page: QWidget) -> None:
        """Show a page."""
        self.tabs.setCurrentIndex(self._stack.indexOf(page))

    @property
    def page(self) -> QWidget | None:
        """The page that is shown; None before the first was added."""
        return self._stack.currentWidget()

    def minimumSizeHint(self) -> QSize:
        # The page that is shown: one that is not must not keep the watchlist low.
        hint, page = self.tabs.sizeHint(), self._stack.currentWidget()
        least = page.minimumSizeHint() if page is not None else QSize()
        return QSize(least.width(), hint.height() + 4 + least.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_titles()

    def _show_titles(self) -> None:
        """Say how many entries the pages have; of the others than the one shown only where there is room."""
        margins = self._row.contentsMargins()
        buttons = [item.widget() for at in range(1, self._row.count()) if (item := self._row.itemAt(at)) is not None]
        taken = sum(one.sizeHint().width() + self._row.spacing() for one in buttons if one)
        room = self.width() - margins.left() - margins.right() - taken
        self._set_titles(every=True)
        if self.tabs.sizeHint().width() > room:
            self._set_titles(every=False)

    def _set_titles(self, *, every: bool) -> None:
        for at, (title, count) in enumerate(zip(self._titles, self._counts, strict=True)):
            is_said = count and (every or at == self.tabs.currentIndex())
            text = f"{title} {count:,}" if is_said else title
            if self.tabs.tabText(at) != text:
                self.tabs.setTabText(at, text)

    def _show(self, at: int) -> None:
        self._stack.setCurrentIndex(at)
        self._show_titles()
        self.updateGeometry()
        self.shown.emit(self._stack.currentWidget())


class _Tabs(QTabBar):
    """Tabs that are never narrower than their titles: Qt would scroll the first ones out of view for ever."""

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()
