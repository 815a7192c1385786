"""Draws the rows of the command palette, and says them in words."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from widgets.controls.list_picker import ROW_ROLE, Index, RowDelegate, RowModel
from widgets.keys import CommandGroup, keys_of, texts_of
from widgets.palette.command_rows import CommandRow, HeadRow, Row
from widgets.palette.key_caps import CapColours, caps_width, draw_caps
from widgets.theme import icons, style

HEAD_PX = 32
_INSET_PX, _ICON_PX, _TEXT_AT_PX, _GAP_PX = 12, 16, 38, 12
_KEY_COLUMN_PX = 96
_LEAST_TITLE = 0.62  # of the row, where a reason needs the rest

_GROUP_ICONS = {
    CommandGroup.CHART: "candles",
    CommandGroup.PANES: "panes",
    CommandGroup.WATCHLIST: "star",
    CommandGroup.LISTS: "star",
    CommandGroup.WINDOW: "window",
}
_ICONS = {
    "date": "calendar",
    "diagnostics": "sliders",
    "export": "export",
    "fit": "fit",
    "indicators": "indicators",
    "latest": "latest",
    "menu": "menu",
    "pane_settings": "sliders",
    "side_panel": "panel",
    "symbols": "search",
    "zoom_in": "plus",
    "zoom_out": "minus",
}
_USUAL_ICON = "command"


def icon_of(command: str, group: CommandGroup) -> str:
    """Return the name of a command's icon: its own, else its group's."""
    return _ICONS.get(command) or _GROUP_ICONS.get(group, _USUAL_ICON)


class PaletteModel(RowModel[Row]):
    """The rows of the palette. Heads can be neither chosen nor run."""

    def title(self, row: Row) -> str:
        return row.text if isinstance(row, HeadRow) else row.title

    def spoken(self, row: Row) -> str:
        if isinstance(row, HeadRow):
            return row.text
        keys = " or ".join(texts_of(keys_of(row.command)))
        return ", ".join(part for part in (row.title, row.group.value, keys, row.reason) if part)

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_head = index.isValid() and isinstance(self.rows[index.row()], HeadRow)
        return Qt.ItemFlag.NoItemFlags if is_head else super().flags(index)

    def row_from(self, at: int, step: int) -> int:
        """Return the first row from ``at`` on that has a command, in steps of ``step``, 1 or -1; else -1."""
        while 0 <= at < len(self.rows):
            if isinstance(self.rows[at], CommandRow):
                return at
            at += step
        return -1


class PaletteDelegate(RowDelegate):
    """A command: icon, title with the typed letters marked, its group or why it cannot run, its first key."""

    ROW_PX = 40

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        is_head = isinstance(index.data(ROW_ROLE), HeadRow)
        return QSize(0, style.px(HEAD_PX if is_head else self.ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: Row = index.data(ROW_ROLE)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(row, HeadRow):
            painter.setFont(style.head_font())
            painter.setPen(QColor(self.palette.faint))
            inner = rect.adjusted(_INSET_PX, 0, -_INSET_PX, -style.px(6))
            painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, row.text)
        else:
            is_chosen = bool(state & QStyle.StateFlag.State_Selected)
            self._paint_ground(painter, rect, row, state)
            self._paint_command(painter, rect, row, is_chosen=is_chosen)
        painter.restore()

    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        raise AssertionError("paint does it all")

    def _paint_ground(self, painter: QPainter, rect: QRect, row: CommandRow, state: QStyle.StateFlag) -> None:
        palette = self.palette
        if state & QStyle.StateFlag.State_Selected:
            ground = palette.selected if row.reason else palette.fill
        elif state & QStyle.StateFlag.State_MouseOver:
            ground = palette.hover
        else:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(rect, 6, 6)

    def _paint_command(self, painter: QPainter, rect: QRect, row: CommandRow, *, is_chosen: bool) -> None:
        palette, is_on_fill = self.palette, is_chosen and not row.reason
        text = palette.on_fill if is_on_fill else palette.dim if row.reason else palette.text
        faded = palette.on_fill if is_on_fill else palette.dim
        side = style.px(_ICON_PX)
        ratio = painter.device().devicePixelRatioF()
        icon = icons.pixmap(icon_of(row.command, row.group), faded, side, ratio)
        painter.drawPixmap(rect.left() + _INSET_PX, rect.center().y() - side // 2, icon)
        keys = texts_of(keys_of(row.command))[:1]
        right, middle = rect.right() + 1 - _INSET_PX, QRectF(rect).center().y()
        colours = CapColours(text, palette.on_fill if is_on_fill else palette.edge, "" if is_on_fill else palette.panel)
        draw_caps(painter, right, middle, keys, colours)
        right -= max(round(caps_width(keys)), style.px(_KEY_COLUMN_PX) - _INSET_PX) + _GAP_PX
        left = rect.left() + style.px(_TEXT_AT_PX)
        beside = row.reason or row.group.value
        painter.setFont(style.font(style.SMALL_PX if row.reason else style.BODY_PX))
        painter.setPen(QColor(faded))
        metrics = QFontMetrics(painter.font())
        title_px = self._title_width(row)
        room = max(right - left - title_px - _GAP_PX, round((right - left) * (1 - _LEAST_TITLE)) - _GAP_PX)
        beside = metrics.elidedText(beside, Qt.TextElideMode.ElideRight, room)
        box = QRect(right - room, rect.top(), room, rect.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, beside)
        end = right - metrics.horizontalAdvance(beside) - _GAP_PX
        marked = text if is_chosen else palette.accent  # which cannot be read on the grounds of chosen rows
        self._paint_title(painter, QRect(left, rect.top(), end - left, rect.height()), row, (text, marked))

    def _title_width(self, row: CommandRow) -> int:
        usual, bold = QFontMetrics(style.font()), QFontMetrics(_marked_font())
        return sum((bold if is_marked else usual).horizontalAdvance(part) for part, is_marked in _parts(row))

    def _paint_title(self, painter: QPainter, box: QRect, row: CommandRow, colours: tuple[str, str]) -> None:
        """Draw the title, the typed letters semibold in the second colour, underlined where both are the same."""
        text, marked = colours
        usual, bold = style.font(), _marked_font()
        bold.setUnderline(text == marked)
        left = box.left()
        for part, is_marked in _parts(row):
            painter.setFont(bold if is_marked else usual)
            painter.setPen(QColor(marked if is_marked else text))
            metrics = painter.fontMetrics()
            shown = metrics.elidedText(part, Qt.TextElideMode.ElideRight, box.right() + 1 - left)
            painter.drawText(QRect(left, box.top(), box.right() + 1 - left, box.height()), _LEFT, shown)
            if shown != part:
                return
            left += metrics.horizontalAdvance(part)


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextDontClip


def _marked_font() -> QFont:
    return style.font(style.BODY_PX, QFont.Weight.DemiBold)


def _parts(row: CommandRow) -> list[tuple[str, bool]]:
    """Return the title in parts, each with whether its letters were typed."""
    parts: list[tuple[str, bool]] = []
    for at, letter in enumerate(row.title):
        is_marked = at in row.places
        if parts and parts[-1][1] is is_marked:
            parts[-1] = (parts[-1][0] + letter, is_marked)
        else:
            parts.append((letter, is_marked))
    return parts
