"""
What a download brought, what it could not bring, and why. Pure.

Of every piece, and of all: read = stored + held + refused. A row is held if the database had it before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from app.live.transfers.downloads.plan import Piece, moment

_FIGURES = ("read", "stored", "held", "refused", "missing")
_NAMED = 10  # pieces in the lines for people; the JSON has all


class StoredRows(NamedTuple):
    """
    What became of the rows of one file or one range. ``missing``: trade ids inside that nothing has.

    ``is_broken``: it could not be read to its end. ``reason``: what was not used of it, and why; else empty.
    """

    read: int = 0
    stored: int = 0
    held: int = 0
    refused: int = 0
    missing: int = 0
    is_broken: bool = False
    reason: str = ""

    def __add__(self, other: object) -> StoredRows:
        if not isinstance(other, StoredRows):
            return NotImplemented
        figures = {name: getattr(self, name) + getattr(other, name) for name in _FIGURES}
        reason = " ".join(filter(None, (self.reason, other.reason)))
        return StoredRows(**figures, is_broken=self.is_broken or other.is_broken, reason=reason)


class DonePiece(NamedTuple):
    """A piece that was fetched. ``path``: the archive's file, which may be deleted by now; None for the exchange's."""

    piece: Piece
    path: Path | None
    rows: StoredRows


class SkippedPiece(NamedTuple):
    """A piece, or a part of one, that could not be had, and why, in one sentence."""

    piece: Piece
    reason: str

    @property
    def sentence(self) -> str:
        """Return which one it is, and why it is missing."""
        symbol, what = self.piece.symbol, self.piece.what
        return f"{symbol} {what} from {moment(self.piece.start_us)} to {moment(self.piece.end_us)}: {self.reason}"


@dataclass(slots=True)
class DownloadReport:
    """
    The outcome of one download of the range ``[start_us, end_us)``.

    ``listed_us``: when symbols were listed whose range began before that, by name. ``missing``: trade ids inside that
    no source has, by symbol, as inclusive ranges. ``rows_read``: of all pieces so far.
    """

    start_us: int = 0
    end_us: int = 0
    done: list[DonePiece] = field(default_factory=list)
    skipped: list[SkippedPiece] = field(default_factory=list)
    listed_us: dict[str, int] = field(default_factory=dict)
    missing: dict[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    rows_read: int = field(default=0, init=False)

    def note(self, piece: Piece, rows: StoredRows, path: Path | None = None) -> None:
        """Add a piece that was fetched."""
        self.done.append(DonePiece(piece, path, rows))
        self.rows_read += rows.read

    def skip(self, piece: Piece, reason: str) -> None:
        """Add a piece that could not be had."""
        self.skipped.append(SkippedPiece(piece, reason))

    @property
    def rows(self) -> StoredRows:
        """The sum over all pieces; ``missing`` is what nothing has in the end."""
        total = sum((one.rows._replace(reason="") for one in self.done), StoredRows())
        return total._replace(missing=sum(last - first + 1 for first, last in self._gaps()))

    @property
    def is_whole(self) -> bool:
        """Whether all that was asked for and exists is stored."""
        return not self.skipped and not self.rows.refused and not self.rows.missing

    @property
    def lacks(self) -> list[str]:
        """Return what is missing, newest first, a sentence each; none where nothing is."""
        ordered = sorted(self.skipped, key=lambda one: one.piece.start_us, reverse=True)
        sentences = [f"missing: {one.sentence}" for one in ordered[:_NAMED]]
        if len(ordered) > _NAMED:
            sentences.append(f"and {len(ordered) - _NAMED} pieces more; --json lists all.")
        for symbol, gaps in self.missing.items():
            if gaps:
                count = sum(last - first + 1 for first, last in gaps)
                ids = "1 trade" if count == 1 else f"{count:,} trades"
                sentences.append(
                    f"missing: {ids} of {symbol} inside, the first is {gaps[0][0]}: "
                    f"cryptopipe gaps {symbol} --repair fetches what there is."
                )
        if refused := self.rows.refused:
            reasons = " ".join(filter(None, (one.rows.reason for one in self.done if one.rows.refused)))
            sentences.append(f"{refused:,} rows were refused. {reasons}".rstrip())
        return sentences

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "from": _iso(self.start_us),
            "to": _iso(self.end_us),
            **_figures(self.rows),
            "files": [
                {
                    "path": None if one.path is None else str(one.path),
                    "symbol": one.piece.symbol,
                    "kind": "trades" if one.piece.interval is None else "klines",
                    "source": "rest" if one.piece.file is None else "archive",
                    **_span(one.piece),
                    **_figures(one.rows),
                    "reason": one.rows.reason or None,
                }
                for one in self.done
            ],
            "skipped": [
                {
                    "symbol": one.piece.symbol,
                    "what": one.piece.what,
                    **_span(one.piece),
                    "reason": one.reason,
                }
                for one in self.skipped
            ],
            "listed": {symbol: _iso(time_us) for symbol, time_us in self.listed_us.items()},
        }

    def _gaps(self) -> Iterable[tuple[int, int]]:
        return (gap for gaps in self.missing.values() for gap in gaps)


def _figures(rows: StoredRows) -> dict[str, int]:
    return {name: getattr(rows, name) for name in _FIGURES}


def _span(piece: Piece) -> dict[str, str]:
    return {"from": _iso(piece.start_us), "to": _iso(piece.end_us)}


def _iso(time_us: int) -> str:
    text = moment(time_us)
    if "T" not in text:
        return f"{text}T00:00:00Z"
    return f"{text}Z" if text.count(":") == 2 else f"{text}:00Z"
