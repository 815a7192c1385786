"""A download as the window shows it: rows, progress and outcome as text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from app.live.transfers.downloads.download import DownloadProgress
from app.live.transfers.downloads.forecast import Forecast, Span, stretches
from app.live.transfers.downloads.outcome import DownloadOutcome
from app.live.transfers.downloads.plan import moment
from app.market.availability import Origin
from app.market.durations import length
from app.market.interval import SECOND_US, Interval
from widgets.controls.number_format import count
from widgets.dialogs.download_rows import SymbolRow

_STORED = "All stored"
Title = Callable[[str], str]


def forecast_rows(forecasts: Iterable[Forecast], interval: Interval | None, title: Title) -> list[SymbolRow]:
    """Return a row for each symbol before its download; ``title`` returns a symbol's name as it is shown."""
    return [
        SymbolRow(
            title(one.symbol),
            stretches(one.span, one.missing, stored_as(interval)),
            f"{_time(one.missing_s)} to fetch" if one.missing else _STORED,
        )
        for one in forecasts
    ]


def forecast_sentence(forecasts: Sequence[Forecast]) -> str:
    """Return how much of all is stored, and how much is to be fetched."""
    total_s = sum(one.span[1] - one.span[0] for one in forecasts)
    missing_s = sum(one.missing_s for one in forecasts)
    if not missing_s:
        return "All of it is stored already."
    if missing_s == total_s:
        return f"Nothing of it is stored yet: {_time(missing_s)} of trading to fetch."
    return f"{_time(total_s - missing_s)} of trading are stored, {_time(missing_s)} are to be fetched."


def progress_rows(
    forecasts: Iterable[Forecast], interval: Interval | None, progress: DownloadProgress, title: Title
) -> list[SymbolRow]:
    """Return a row for each symbol while its download runs."""
    rows = []
    for one in forecasts:
        now = progress.symbols.get(one.symbol)
        share = 1.0 if now is None or not now.total else min(now.done / now.total, 1.0)
        # Rounded down: nothing that lacks a piece is 100 %.
        figure = _STORED if not one.missing else f"{int(share * 100)} %"
        work = "" if now is None or share >= 1.0 else now.work
        bar = stretches(one.span, one.missing, stored_as(interval), share=share)
        rows.append(SymbolRow(title(one.symbol), bar, figure, work))
    return rows


def progress_sentence(progress: DownloadProgress) -> str:
    """Return how far a running download is, or what it waits for."""
    if progress.waits_because:
        return f"Waiting: {progress.waits_because}"
    skipped = f", {count(progress.skipped)} pieces skipped" if progress.skipped else ""
    return f"{count(progress.rows)} rows read{skipped}"


def outcome_rows(
    forecasts: Iterable[Forecast], interval: Interval | None, outcome: DownloadOutcome, title: Title
) -> list[SymbolRow]:
    """Return a row for each symbol after its download."""
    rows = []
    for one in forecasts:
        lacking = list(_lacking(one.symbol, outcome))
        missing_s = sum(end - start for start, end in lacking)
        bar = stretches(one.span, (), stored_as(interval), lacking=lacking)
        rows.append(SymbolRow(title(one.symbol), bar, f"{_time(missing_s)} missing" if lacking else _STORED))
    return rows


def outcome_sentence(outcome: DownloadOutcome, title: Title) -> str:
    """Return what a download brought."""
    rows = outcome.rows
    if not rows.read and not outcome.skipped:
        said = "All of it was stored already: nothing was fetched."
    else:
        said = f"{count(rows.read)} rows read: {count(rows.stored)} stored, {count(rows.held)} held already"
        said += f", {count(rows.refused)} refused." if rows.refused else "."
    listed = (f" {title(name)} is traded since {moment(at_us)}." for name, at_us in outcome.listed_us.items())
    return said + "".join(listed)


def outcome_lacks(outcome: DownloadOutcome, title: Title) -> list[str]:
    """Return one sentence per part that could not be downloaded, newest first."""
    ordered = sorted(outcome.skipped, key=lambda one: one.piece.start_us, reverse=True)
    sentences = [
        f"{title(one.piece.symbol)} {one.piece.what}, {moment(one.piece.start_us)} to {moment(one.piece.end_us)}: "
        f"{one.reason}"
        for one in ordered
    ]
    explained = {one.piece.symbol for one in outcome.skipped}
    for name, number in outcome.missing.items():
        if name not in explained:
            trades = "1 trade is" if number == 1 else f"{count(number)} trades are"
            sentences.append(f"{title(name)}: {trades} missing inside the range.")
    if outcome.rows.refused:
        sentences.append(f"{count(outcome.rows.refused)} rows were refused. {outcome.refusal}".rstrip())
    return sentences


def stored_as(interval: Interval | None) -> Origin:
    """Return the origin that stands for what is stored of trades (None), or of candles."""
    return Origin.TRADES if interval is None else Origin.KLINES


def _lacking(symbol: str, outcome: DownloadOutcome) -> Iterable[Span]:
    for one in outcome.skipped:
        if one.piece.symbol == symbol:
            yield one.piece.start_us // SECOND_US, -(-one.piece.end_us // SECOND_US)


def _time(seconds: float) -> str:
    return length(seconds) if seconds >= 10 else f"{round(seconds)} s"
