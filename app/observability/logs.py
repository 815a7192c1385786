"""
The log: a rotating file in the data directory, and nowhere else.

One line per change of state; payloads, and each batch stored, only at debug. A line of JSON has the keys timestamp,
level, message, service and logger. Values passed by ``extra=`` get keys of their own: symbol, missing, first_trade_id,
last_trade_id, connection, state, attempt and retry_in_s; of a batch, batchSize, processingTime (ms) and bufferSize
(trades that wait behind it). Standard error is for sentences that the user must read.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from app.config.settings import LogFormat, LogLevel
from app.market.errors import SettingsError

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return the values that came with a line by ``extra=``, such as its symbol."""
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}


_FILE_BYTES = 5_000_000
_FILES_KEPT = 5
# JSON lets these stand in a text, and some readers end a line there.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}

logger = logging.getLogger(__name__)


class _JsonFormatter(logging.Formatter):
    """Formats a line as JSON, with the keys that the field's recorders and log collectors have."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "service": self._service,
            "logger": record.name,
        }
        for name, value in fields_of(record).items():
            line.setdefault(name, str(value) if isinstance(value, float) and not math.isfinite(value) else value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, ensure_ascii=False, default=str).translate(_LINE_BREAKS)


class _RotatingFile(RotatingFileHandler):
    """Rotates, and follows to the new file after another cryptopipe on the same data directory has rotated."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and self._was_moved(self.stream.fileno()):
            self.stream.close()
            self.stream = None
        super().emit(record)

    def _was_moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.stat(self.baseFilename), os.fstat(file))
        except FileNotFoundError:
            return True
        except OSError:  # `emit` reports why the file cannot be written
            return False


def start_logging(data_dir: Path, level: LogLevel, log_format: LogFormat, *, name: str = "cryptopipe") -> Path:
    """
    Log to ``data_dir/logs/<name>.log`` from now on, with uncaught exceptions and warnings; return that path.

    Raises:
        SettingsError: If the folder cannot be made or written.
    """
    path = data_dir / "logs" / f"{name}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _RotatingFile(
            path,
            maxBytes=_FILE_BYTES,
            backupCount=_FILES_KEPT,
            encoding="utf-8",
            errors="backslashreplace",  # file names may hold bytes that are no text
        )
    except OSError as error:
        raise SettingsError(
            f"The data directory {data_dir} cannot be written ({error.strerror}): name another with --data-dir."
        ) from error
    if log_format == "json":
        formatter: logging.Formatter = _JsonFormatter("cryptopipe" if name == "cryptopipe" else f"cryptopipe-{name}")
    else:
        formatter = logging.Formatter(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [handler]
    for one in before:
        if isinstance(one, RotatingFileHandler):
            one.close()
    root.setLevel(level.upper())
    logging.getLogger("websockets").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("qasync").setLevel(max(logging.WARNING, root.level))
    # A full disk must not fill standard error with tracebacks.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    return path


def _log_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_value is not None and not issubclass(uncaught.exc_type, SystemExit):
        _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("uncaught %s", kind.__name__, exc_info=(kind, error, trace))
    if sys.stderr is not None:
        sys.stderr.write(f"cryptopipe: something went wrong inside ({kind.__name__}); the log file tells more.\n")
