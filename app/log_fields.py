"""What a log line carries beside its text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what was given by ``extra=`` with a line: its symbol, how many trades are missing, and so on."""
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}
