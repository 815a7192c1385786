"""
Guard against a Qt binding that drops references to None.

PySide6 6.12.0 on Python 3.10 and 3.11 takes away one reference with each call that returns None; after some thousand
calls the count reaches zero and the interpreter aborts. From Python 3.12 on None is immortal and has no count.
"""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject, QPoint, Signal

CALLS = 20_000


class Sender(QObject):
    """Sends a number to a slot in Python, which returns None. Signals: sent, with the number."""

    sent = Signal(int)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_qt_calls_that_return_none_keep_its_reference_count():
    point, sender = QPoint(), Sender()
    received: list[int] = []
    sender.sent.connect(received.append)
    before = sys.getrefcount(None)
    for x in range(CALLS):
        point.setX(x)
        sender.setObjectName("sender")
        sender.sent.emit(x)
    # Whatever else the interpreter did meanwhile moves the count by a few; the fault moves it by one a call.
    assert abs(sys.getrefcount(None) - before) < CALLS / 100
    assert len(received) == CALLS
