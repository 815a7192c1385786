"""Times as text: ISO 8601, UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from app.market.errors import UsageError


def format_time(time_us: int) -> str:
    """Return UTC microseconds as ISO 8601 with a Z, and with a fraction only if there is one."""
    seconds, micros = divmod(time_us, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{micros:06d}Z" if micros else f"{text}Z"


def parse_time(text: str) -> int:
    """
    Return a date, or a date and time, as UTC microseconds: ``2024-08-08``, ``2024-08-08T23:55``.

    A text without an offset (``Z``, ``+02:00``) is in UTC.

    Raises:
        UsageError: If the text is neither.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"“{text}” is not a time: write it like 2024-08-08 or 2024-08-08T23:55 (UTC).") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
