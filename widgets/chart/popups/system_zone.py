"""
This computer's time zone, for ``"local"`` (see `scales.zones`).

Python knows the local zone only as its present offset; Qt knows its name, by which the tz database has the rules for
every date.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from PySide6.QtCore import QTimeZone

from widgets.chart.scales.zones import rules_named


def system_rules() -> tzinfo:
    """Return the rules of the zone this computer is in now."""
    name = bytes(QTimeZone.systemTimeZoneId().data()).decode("ascii", "replace")
    # Where the system's zone has no name, or one unknown to the tz database, its present offset is all there is.
    return rules_named(name) or datetime.now().astimezone().tzinfo or UTC
