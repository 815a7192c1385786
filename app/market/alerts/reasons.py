"""Why an alert fired, in words: the figures before and at the trade that met it."""

from __future__ import annotations

from app.market.durations import length
from app.market.units import E8, format_e8

_MINUS = "−"


def plain(amount_e8: int) -> str:
    """Return an amount of 1e-8 units without trailing zeros: ``61654.2``."""
    return format_e8(amount_e8).rstrip("0").rstrip(".")


def of_prices(before_e8: int | None, now_e8: int) -> str:
    """Say which price the trade before had, and this one: “0.618, then 0.6181”."""
    return plain(now_e8) if before_e8 is None else f"{plain(before_e8)}, then {plain(now_e8)}"


def of_move(extreme_e8: int, price_e8: int, took_us: int) -> str:
    """Say how far the price went and in which time: “+2.11 % in 14 min”."""
    percent = 100 * (price_e8 - extreme_e8) / extreme_e8 if extreme_e8 else 0.0
    return f"{_signed(percent)} % in {length(took_us / 1e6)}"


def of_volume(volume_e8: int, mean_e8: float) -> str:
    """Say what the volume is, and how many times its average: “volume 12.5, 3.1 times the average”."""
    times = f", {volume_e8 / mean_e8:.2f} times the average" if mean_e8 else ""
    return f"volume {volume_e8 / E8:.6g}{times}"


def of_indicator(name: str, before: float, now: float, other: str, value: float) -> str:
    """
    Say how the indicator stood before and at the candle's end: “rsi_14 70.12 after 69.40”.

    ``other``: the name of the indicator that it crossed; empty where it crossed the number ``value``.
    """
    beside = f", {other} {value:.6g}" if other else ""
    return f"{name} {now:.6g} after {before:.6g}{beside}".replace("-", _MINUS)


def of_missing(count: int) -> str:
    """Say how many trades are missing."""
    return f"{count:,} trade{'' if count == 1 else 's'} missing"


def _signed(percent: float) -> str:
    return f"{'+' if percent >= 0 else _MINUS}{abs(percent):.2f}"
