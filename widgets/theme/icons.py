"""The program's icons: the SVG files of resources/icons, drawn in a colour of the palette."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

from widgets.theme.text_size import px

_RATIOS = (1.0, 1.5, 2.0, 3.0)
_APPLICATION_SIZES = (16, 24, 32, 48, 64, 128, 256)  # from title bars and task bars up to application menus


def icon(name: str, color: str, usual_px: int = 16, *, checked_color: str = "") -> QIcon:
    """
    Return ``resources/icons/<name>.svg`` in that colour, sharp at the usual device pixel ratios.

    It is drawn in the present size of text; ``usual_px`` is its side at the usual one. ``checked_color``: the colour on
    a button that is checked, where it is another one.
    """
    result = QIcon()
    for ratio in _RATIOS:
        result.addPixmap(pixmap(name, color, px(usual_px), ratio))
        if checked_color:
            drawn = pixmap(name, checked_color, px(usual_px), ratio)
            result.addPixmap(drawn, QIcon.Mode.Normal, QIcon.State.On)
    return result


def pixmap(name: str, color: str, size: int = 16, ratio: float = 1.0) -> QPixmap:
    """Return the icon as a pixmap of ``size`` logical pixels."""
    # Cached by Qt, until the application ends: at each change of palette, controls request the same few icons.
    key = f"cryptopipe {name} {color} {size} {ratio}"
    drawn = QPixmap()
    if not QPixmapCache.find(key, drawn):
        drawn = _drawn(name, color, size, ratio)
        QPixmapCache.insert(key, drawn)
    return drawn


def _drawn(name: str, color: str, size: int, ratio: float) -> QPixmap:
    # The files leave their colour open, as SVG's currentColor, which Qt does not fill in from a palette.
    return _draw(_svg(name).replace(b"currentColor", color.encode()), size, ratio)


def application_icon() -> QIcon:
    """Return the program's icon, for windows and the task bar."""
    result = QIcon()
    for size in _APPLICATION_SIZES:
        result.addPixmap(_draw(_svg("cryptopipe"), size, 1.0))
    return result


def path(name: str) -> str:
    """Return the path of the icon's file for a stylesheet, which draws it in the file's own colours."""
    return Path(str(_file(name))).as_posix()


def _file(name: str) -> Traversable:
    return resources.files("resources").joinpath("icons", f"{name}.svg")


@lru_cache(maxsize=64)
def _svg(name: str) -> bytes:
    return _file(name).read_bytes()


def _draw(svg: bytes, size: int, ratio: float) -> QPixmap:
    target = QPixmap(round(size * ratio), round(size * ratio))
    target.fill(Qt.GlobalColor.transparent)
    painter = QPainter(target)
    QSvgRenderer(QByteArray(svg)).render(painter, QRectF(target.rect()))
    painter.end()
    target.setDevicePixelRatio(ratio)
    return target
