"""
How the window looks: fonts, Qt's colours and the stylesheet, all from one `Palette`.

Widgets name what they are (an object name, a *tone*) and this module says how that looks, so that a theme is one value
and changing it while the program runs is one call. Fonts are set on widgets, not in the stylesheet: only `QFont` can
ask for tabular figures, without which prices shift sideways as their digits change.
"""

from __future__ import annotations

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from widgets.theme import icons, text_size
from widgets.theme.palettes import Palette
from widgets.theme.text_size import BODY_PX as BODY_PX
from widgets.theme.text_size import SMALL_PX as SMALL_PX
from widgets.theme.text_size import fixed_font as fixed_font
from widgets.theme.text_size import font as font
from widgets.theme.text_size import head_font as head_font
from widgets.theme.text_size import px as px
from widgets.theme.text_size import sized as sized

TITLE_PX = 16


def prepare_application(application: QApplication, text_percent: int = 100) -> None:
    """
    Set what is the application's rather than a window's: base style, font, icon. Call once, before any window.

    Text is as large as the system's where that is larger than usual, times ``text_percent``.
    """
    application.setStyle("Fusion")  # the one style that follows our colours on every platform
    text_size.begin(application, text_percent)
    application.setWindowIcon(icons.application_icon())
    application.setDesktopFileName("cryptopipe")


def set_tone(widget: QWidget, tone: str) -> None:
    """
    Colour a label: ``"dim"``, ``"faint"``, ``"rising"``, ``"falling"``, ``"warning"``, or ``""`` for plain text.

    Costs nothing where the tone is the same as before.
    """
    if (widget.property("tone") or "") != tone:
        widget.setProperty("tone", tone)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        widget.update()


def qt_palette(palette: Palette) -> QPalette:
    """Return Qt's own colours, for the parts the stylesheet leaves to the base style."""
    roles = {
        QPalette.ColorRole.Window: palette.panel,
        QPalette.ColorRole.WindowText: palette.text,
        QPalette.ColorRole.Base: palette.background,
        QPalette.ColorRole.AlternateBase: palette.panel,
        QPalette.ColorRole.Text: palette.text,
        QPalette.ColorRole.PlaceholderText: palette.faint,
        QPalette.ColorRole.Button: palette.raised,
        QPalette.ColorRole.ButtonText: palette.text,
        QPalette.ColorRole.BrightText: palette.falling,
        QPalette.ColorRole.ToolTipBase: palette.raised,
        QPalette.ColorRole.ToolTipText: palette.text,
        QPalette.ColorRole.Highlight: palette.accent,
        QPalette.ColorRole.HighlightedText: palette.on_accent,
        QPalette.ColorRole.Accent: palette.accent,
        QPalette.ColorRole.Link: palette.accent,
    }
    made = QPalette()
    for role, color in roles.items():
        made.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(palette.faint))
    return made


def stylesheet(palette: Palette) -> str:
    """Return the stylesheet of the window and everything in it."""
    p = palette
    arrow, check, up = icons.path("field-arrow"), icons.path("check"), icons.path("field-arrow-up")
    return f"""
QMainWindow {{ background: {p.background}; }}
QMainWindow::separator {{ background: {p.background}; border-right: 1px solid {p.line}; width: 3px; }}
QToolTip {{ background: {p.raised}; color: {p.text}; border: 1px solid {p.line}; padding: 4px 6px; }}

QLabel {{ color: {p.text}; background: transparent; }}
QLabel[tone="dim"] {{ color: {p.dim}; }}
QLabel[tone="faint"] {{ color: {p.faint}; }}
QLabel[tone="rising"] {{ color: {p.rising}; }}
QLabel[tone="falling"] {{ color: {p.falling}; }}
QLabel[tone="warning"] {{ color: {p.warning}; }}

#topBar {{ background: {p.panel}; border-bottom: 1px solid {p.line}; }}
#divider {{ background: {p.line}; }}
#sidePanel, #watchlist, #watchlistView, #quotePanel {{ background: {p.panel}; border: 0; }}
#rule {{ background: {p.line}; }}
#card {{ background: transparent; border: 1px solid {p.line}; border-radius: 8px; }}

QStatusBar {{ background: {p.panel}; border-top: 1px solid {p.line}; }}
QStatusBar::item {{ border: 0; }}
#badge {{ color: {p.warning}; border: 1px solid {p.warning}; border-radius: 6px; padding: 0 7px; }}
#dot {{ border-radius: 4px; background: {p.faint}; }}
#dot[tone="rising"] {{ background: {p.rising}; }}
#dot[tone="warning"] {{ background: {p.warning}; }}
#dot[tone="falling"] {{ background: {p.falling}; }}

#keysScroll, #keysSheet {{ background: transparent; }}
#keyCap {{
    background: {p.panel}; color: {p.text}; border: 1px solid {p.line}; border-bottom: 2px solid {p.line};
    border-radius: 4px; padding: 0 6px;
}}

#notice {{ background: {p.raised}; border-bottom: 1px solid {p.line}; }}

QToolButton, #symbolButton {{
    background: transparent; color: {p.dim}; border: 1px solid transparent; border-radius: 6px; padding: 4px 8px;
}}
QToolButton:hover, #symbolButton:hover {{ background: {p.raised}; color: {p.text}; }}
QToolButton:pressed, #symbolButton:pressed {{ background: {p.line}; }}
QToolButton:focus, #symbolButton:focus {{ border-color: {p.accent}; }}
QToolButton:checked {{ background: {p.accent}; color: {p.on_accent}; }}
QToolButton:checked:focus {{ border-color: {p.text}; }}
QToolButton::menu-indicator {{ image: none; }}
#symbolButton {{ padding: 0; }}

QPushButton {{
    background: {p.raised}; color: {p.text}; border: 1px solid {p.line}; border-radius: 6px; padding: 5px 14px;
}}
QPushButton:hover {{ border-color: {p.faint}; }}
QPushButton:pressed {{ background: {p.line}; }}
QPushButton:focus {{ border-color: {p.accent}; }}
QPushButton:disabled {{ color: {p.faint}; }}
QPushButton:default {{ background: {p.accent}; border-color: {p.accent}; color: {p.on_accent}; }}
QPushButton:default:focus {{ border-color: {p.text}; }}
QPushButton:default:disabled {{ background: {p.raised}; border-color: {p.line}; color: {p.faint}; }}
#exportButton {{ background: transparent; padding: 5px 10px; }}
#exportButton:hover {{ background: {p.raised}; }}

#dockTitle {{ background: {p.panel}; border-top: 1px solid {p.line}; border-bottom: 1px solid {p.line}; }}
#metricGrid, #metricGridInside {{ background: {p.panel}; border: 1px solid transparent; }}
#metricGridInside {{ border: 0; }}
#metricGrid:focus {{ border-color: {p.accent}; }}
QSplitter {{ background: {p.panel}; }}
QSplitter::handle {{ background: {p.line}; }}
QSplitter::handle:horizontal {{ width: 1px; }}
QPlainTextEdit {{
    background: {p.background}; color: {p.text}; border: 1px solid {p.line}; border-radius: 6px; padding: 2px 4px;
    selection-background-color: {p.accent}; selection-color: {p.on_accent};
}}
QPlainTextEdit:focus {{ border-color: {p.accent}; }}

QLineEdit {{
    background: {p.background}; color: {p.text}; border: 1px solid {p.line}; border-radius: 6px; padding: 5px 8px;
    selection-background-color: {p.accent}; selection-color: {p.on_accent};
}}
QLineEdit:focus {{ border-color: {p.accent}; }}
QLineEdit:disabled {{ color: {p.faint}; }}
QComboBox, QDateTimeEdit, QSpinBox, QDoubleSpinBox {{
    min-height: 18px;
    background: {p.background}; color: {p.text}; border: 1px solid {p.line}; border-radius: 6px; padding: 5px 8px;
    selection-background-color: {p.accent}; selection-color: {p.on_accent};
}}
QComboBox:focus, QDateTimeEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus {{ border-color: {p.accent}; }}
QSpinBox QLineEdit, QDoubleSpinBox QLineEdit {{ border: 0; padding: 0; background: transparent; }}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {{
    border: 0; width: 24px;
}}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url({up}); width: 12px; height: 12px; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url({arrow}); width: 12px; height: 12px; }}
QComboBox:disabled, QDateTimeEdit:disabled {{ color: {p.faint}; }}
QComboBox::drop-down, QDateTimeEdit::drop-down {{ border: 0; width: 24px; }}
QComboBox::down-arrow, QDateTimeEdit::down-arrow {{ image: url({arrow}); width: 16px; height: 16px; }}
QComboBox QLineEdit, QDateTimeEdit QLineEdit {{ border: 0; padding: 0; background: transparent; }}
QComboBox QAbstractItemView, QListView#completions {{
    background: {p.raised}; color: {p.text}; border: 1px solid {p.line}; outline: 0;
    selection-background-color: {p.accent}; selection-color: {p.on_accent};
}}
QRadioButton {{ color: {p.text}; spacing: 8px; }}
QRadioButton:disabled {{ color: {p.faint}; }}
QRadioButton::indicator {{
    width: 12px; height: 12px; border: 1px solid {p.faint}; border-radius: 7px; background: {p.background};
}}
QRadioButton::indicator:checked {{
    width: 6px; height: 6px; border: 4px solid {p.accent}; background: {p.on_accent};
}}
QRadioButton::indicator:focus {{ border-color: {p.accent}; }}
QRadioButton::indicator:checked:disabled {{ border-color: {p.faint}; }}

QCheckBox {{ color: {p.text}; spacing: 8px; }}
QCheckBox:disabled {{ color: {p.faint}; }}
QCheckBox::indicator {{
    width: 12px; height: 12px; border: 1px solid {p.faint}; border-radius: 3px; background: {p.background};
}}
QCheckBox::indicator:checked {{ background: {p.accent}; border-color: {p.accent}; image: url({check}); }}
QCheckBox::indicator:focus {{ border-color: {p.accent}; }}
QCheckBox::indicator:checked:focus {{ border-color: {p.text}; }}
QCheckBox::indicator:checked:disabled {{ background: {p.faint}; border-color: {p.faint}; }}

#overlay {{ background: {p.raised}; border: 1px solid {_half(p.faint)}; border-radius: 8px; }}
#pickerList {{ background: {p.raised}; border: 0; outline: 0; }}

QMenu {{ background: {p.raised}; color: {p.text}; border: 1px solid {_half(p.faint)}; padding: 4px; }}
QMenu::item {{ padding: 5px 20px 5px 14px; border-radius: 4px; }}
QMenu::item:disabled {{ color: {p.faint}; }}
QMenu::item:selected {{ background: {p.line}; }}
QMenu::item:checked {{ color: {p.accent}; }}
QMenu::indicator {{ width: 12px; height: 12px; left: 8px; border-radius: 3px; }}
QMenu::indicator:checked {{ background: {p.accent}; image: url({check}); }}
QMenu::separator {{ height: 1px; background: {p.line}; margin: 4px 8px; }}

QDialog {{ background: {p.panel}; }}
QProgressBar {{ background: {p.background}; border: 1px solid {p.line}; border-radius: 4px; }}
QProgressBar::chunk {{ background: {p.accent}; border-radius: 3px; }}

QScrollBar:vertical {{ background: transparent; width: 8px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {p.line}; border-radius: 2px; min-height: 32px; margin: 2px; }}
QScrollBar::handle:vertical:hover {{ background: {p.faint}; }}
QAbstractScrollArea::corner {{ background: transparent; border: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 8px; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {p.line}; border-radius: 2px; min-width: 32px; margin: 2px; }}
QScrollBar::handle:horizontal:hover {{ background: {p.faint}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
    background: transparent; height: 0; width: 0;
}}
"""


def _half(color: str) -> str:
    """Return the colour half transparent: an edge that shows on any ground."""
    made = QColor(color)
    return f"rgba({made.red()}, {made.green()}, {made.blue()}, 128)"
