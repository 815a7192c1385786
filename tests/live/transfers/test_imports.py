"""An import stores what it can of each file, says what it could not, and can be stopped and begun again."""

from __future__ import annotations

import csv
import gzip
import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from app.live.transfers import imports
from app.live.transfers.import_report import ImportReport
from app.live.transfers.imports import FileImport, ImportProgress, ImportSource
from app.live.transfers.refused_rows import SUFFIX, RefusedRows
from app.live.transfers.row_batches import RowNumbers, collected
from app.market.candle import Candle
from app.market.errors import FileError, StoreUnavailable
from app.market.ports.loading import BulkLoader, LoadResult, PreparedLoad
from app.market.ports.row_files import ReadingOptions, RefusedFile, RefusedRow, RowBatch, RowKind, TradeBatch
from storage.files.readers.open_rows import open_rows
from storage.files.readers.sources import byte_source, checksum, zip_members
from storage.loading.dry_run import DryRunLoader
from tests.commands.play import line
from tests.market.test_aggregated_trades import agg_batch
from tests.row_files import MemoryFile, opening, trade_batch
from tests.storage.helpers import some_trades

TRADES = some_trades(1_000)
GIVEN = [ImportSource(Path("given"), ReadingOptions())]


def imported(loader: BulkLoader, *files: MemoryFile | RefusedFile, **options: object) -> ImportReport:
    return FileImport(GIVEN, opening(*files), loader, **options).run()


def figures(report: ImportReport) -> tuple[int, ...]:
    return tuple(report.total(name) for name in ("read", "stored", "held", "refused", "missing"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "BTCUSDT-trades.csv"


def test_a_whole_file_is_stored_and_the_second_time_it_is_held(path: Path) -> None:
    loader = DryRunLoader()
    parts = [trade_batch(TRADES[:400]), trade_batch(TRADES[400:])]
    first = imported(loader, MemoryFile(path, parts))
    assert figures(first) == (1_000, 1_000, 0, 0, 0)
    assert first.is_whole
    assert figures(imported(loader, MemoryFile(path, parts))) == (1_000, 0, 1_000, 0, 0)


def test_refused_rows_are_in_a_file_beside_it_with_their_numbers_and_reasons(path: Path) -> None:
    unread = [RefusedRow(3, "its price is no number", '3,"a,b"')]
    other = TRADES[2]._replace(price_e8=150_000_000)
    report = imported(DryRunLoader(), MemoryFile(path, [trade_batch([*TRADES[:4], other], unread)]))
    assert figures(report) == (6, 4, 0, 2, 0)
    assert not report.is_whole
    assert report.files[0].reason == "Row 3 is the first refused: its price is no number."
    with path.with_name("BTCUSDT-trades.csv.refused.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["number", "reason", "row", "table"], ["3", "its price is no number", '3,"a,b"', ""]]
    assert rows[2][:2] == ["6", "another trade of the same id came first"]
    assert rows[2][2].startswith(f"{other.trade_id},1.50000000,")


def test_a_refused_row_that_is_no_text_is_written_with_its_codes_and_the_rest_goes_on(path: Path) -> None:
    report = imported(DryRunLoader(), MemoryFile(path, [trade_batch(TRADES, [RefusedRow(1, "bad", "\ud800")])]))
    assert figures(report) == (1_001, 1_000, 0, 1, 0)
    refused = RefusedRows(path)
    refused.add([RefusedRow(1, "bad: \ud800", "{\ud800é}")])
    refused.finish()
    assert refused.failure == ""
    assert refused.path.read_text(encoding="utf-8").splitlines()[1] == r"1,bad: \ud800,{\ud800é},"


def test_a_file_of_refused_rows_is_passed_over_in_a_folder_and_refused_by_name(path: Path) -> None:
    beside = path.with_name("BTCUSDT-trades.csv.refused.csv")
    files = [MemoryFile(path, [trade_batch(TRADES)]), MemoryFile(beside, [trade_batch(TRADES)])]
    assert [file.path for file in imported(DryRunLoader(), *files).files] == [path]
    named = FileImport([ImportSource(beside, ReadingOptions())], opening(files[1]), DryRunLoader()).run()
    assert [file.reason for file in named.unusable] == [
        f"{beside} holds rows that were refused: correct them in BTCUSDT-trades.csv, and import that again."
    ]


def test_two_imports_of_one_file_at_once_leave_the_rows_of_the_one_that_ends_last(path: Path) -> None:
    one, other = RefusedRows(path), RefusedRows(path)
    for number in range(1, 4):
        one.add([RefusedRow(number, "bad", "x" * 10_000)], "a")
        other.add([RefusedRow(10 * number, "worse", "y" * 10_000)])
    assert list(path.parent.iterdir()) == []
    other.finish()
    one.finish()
    with one.path.open(newline="") as file:
        assert [(row["number"], row["table"]) for row in csv.DictReader(file)] == [("1", "a"), ("2", "a"), ("3", "a")]
    assert list(path.parent.iterdir()) == [one.path]


def test_a_folder_that_takes_no_file_of_refused_rows_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "trades.csv"
    report = imported(DryRunLoader(), MemoryFile(path, [trade_batch(TRADES, [RefusedRow(1, "bad", "x")])]))
    assert figures(report) == (1_001, 1_000, 0, 1, 0)
    assert "could not be written: No such file or directory." in report.files[0].reason


def test_a_dry_run_leaves_no_file(path: Path) -> None:
    imported(DryRunLoader(), MemoryFile(path, [trade_batch(TRADES, [RefusedRow(1, "bad", "x")])]), is_dry=True)
    assert list(path.parent.iterdir()) == []


def test_ids_that_nothing_has_are_missing(path: Path) -> None:
    report = imported(DryRunLoader(), MemoryFile(path, [trade_batch([*TRADES[:10], *TRADES[15:20]])]))
    assert figures(report) == (15, 15, 0, 0, 5)
    assert report.files[0].reason == "5 ids of BTCUSDT are missing inside, the first is 110."


def test_a_file_cut_off_before_the_next_days_begins_is_found_by_the_ids(path: Path) -> None:
    day_us = 86_400_000_000
    next_day = [trade._replace(time_us=trade.time_us + day_us) for trade in TRADES[15:]]
    files = [MemoryFile(path.with_name("1.csv"), [trade_batch(TRADES[:10])]), MemoryFile(path, [trade_batch(next_day)])]
    report = imported(DryRunLoader(), *files)
    assert [file.missing for file in report.files] == [5, 0]
    assert report.files[0].reason == "It ends 5 ids of BTCUSDT before BTCUSDT-trades.csv begins: it may be cut off."
    later = [trade._replace(time_us=trade.time_us + 3 * day_us) for trade in next_day]
    files[1] = MemoryFile(path, [trade_batch(later)])
    assert imported(DryRunLoader(), *files).total("missing") == 0  # nobody said that they follow each other


def test_a_file_that_breaks_off_keeps_what_was_read_before(path: Path) -> None:
    broken = MemoryFile(path, [trade_batch(TRADES[:10]), trade_batch(TRADES[10:20])], failure="It ends early.")
    whole = MemoryFile(path.with_name("next.csv"), [trade_batch(TRADES[20:])])
    report = imported(DryRunLoader(), broken, whole)
    assert figures(report) == (1_000, 1_000, 0, 0, 0)
    assert [file.is_whole for file in report.files] == [False, True]
    assert report.unusable == []
    assert report.files[0].facts()["reason"] == "It ends early."


def test_files_of_which_nothing_can_be_used_are_named(path: Path) -> None:
    report = imported(
        DryRunLoader(),
        RefusedFile(path, "It is no file of trades."),
        MemoryFile(path, []),
        MemoryFile(path, [trade_batch(TRADES)]),
    )
    assert [file.reason for file in report.unusable] == ["It is no file of trades.", f"{path} has no rows."]
    assert report.facts()["files"][0] == {
        "path": str(path),
        "table": None,
        "symbol": None,
        "kind": None,
        "read": 0,
        "stored": 0,
        "held": 0,
        "refused": 0,
        "missing": 0,
        "reason": "It is no file of trades.",
    }


class Stopping(DryRunLoader):
    """A loader that stores two batches, and then does what it is given to do."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = 0

    def load(self, batch: PreparedLoad) -> LoadResult:
        self.loaded += 1
        if self.loaded == 3:
            self.at_the_third()
        return super().load(batch)

    def at_the_third(self) -> None:
        raise StoreUnavailable("The disk is full.")


def many_files(path: Path) -> list[MemoryFile]:
    return [
        MemoryFile(path.with_name(f"{at}.csv"), [trade_batch(TRADES[at : at + 100])]) for at in range(0, 1_000, 100)
    ]


def test_a_database_that_stops_ends_the_import_with_its_sentence(path: Path) -> None:
    report = imported(Stopping(), *many_files(path))
    assert report.stopped_because == "The disk is full."
    assert figures(report)[:2] == (200, 200)
    assert not report.is_whole


def test_a_cancelled_import_stores_the_batch_in_hand_and_goes_on_when_it_is_begun_again(path: Path) -> None:
    loader = Stopping()
    work = FileImport(GIVEN, opening(*many_files(path)), loader)
    loader.at_the_third = work.cancel
    report = work.run()
    assert report.stopped_because == "The import was cancelled; run it again to go on."
    assert figures(report)[:2] == (300, 300)
    assert figures(imported(loader, *many_files(path))) == (1_000, 700, 300, 0, 0)
    assert [one for one in threading.enumerate() if one.name == "read-files"] == []


def test_progress_rises_to_the_end(path: Path) -> None:
    path.write_bytes(b"x" * 500)
    seen: list[ImportProgress] = []
    parts = [trade_batch(TRADES[at : at + 100]) for at in range(0, 1_000, 100)]
    sources = [ImportSource(path, ReadingOptions())]
    FileImport(sources, opening(MemoryFile(path, parts)), DryRunLoader(), on_progress=seen.append).run()
    assert seen[-1] == ImportProgress(1_000, 1.0, path)
    assert [one.share for one in seen] == sorted(one.share for one in seen)


def test_minutes_of_aggregated_trades_do_not_wait_for_the_end_of_a_long_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(DryRunLoader):
        calls = 0

        def load_aggregated(self, symbol: str, minutes: Sequence[Candle]) -> set[int]:
            self.calls += 1
            return super().load_aggregated(symbol, minutes)

    monkeypatch.setattr(imports, "MOST_MINUTES", 5)
    rows = [(at, 1_723_161_240_000_000 + at * 20_000_000, 10**8, 10**8, at, at, True) for at in range(60)]
    parts = [agg_batch(rows[at : at + 10]) for at in range(0, 60, 10)]
    loader = Counting()
    assert figures(imported(loader, MemoryFile(path, parts, kind=RowKind.AGGTRADES))) == (60, 60, 0, 0, 0)
    assert loader.calls > 2
    loader = Counting()  # out of order, a minute may have more rows to come
    assert figures(imported(loader, MemoryFile(path, parts[::-1], kind=RowKind.AGGTRADES))) == (60, 60, 0, 0, 0)
    assert loader.calls == 1


def test_refused_rows_of_an_earlier_import_are_removed_once_all_rows_are_taken(path: Path) -> None:
    beside = path.with_name(path.name + SUFFIX)
    refused = [RefusedRow(3, "bad", "x")]
    faulty = MemoryFile(path, [trade_batch(TRADES[:2], refused)])
    clean = MemoryFile(path, [trade_batch(TRADES[:2])])
    imported(DryRunLoader(), faulty)
    assert beside.exists()
    # None of these shows that the rows are good now.
    broken = MemoryFile(path, [trade_batch(TRADES[:1])], failure="It ends early.")
    imported(DryRunLoader(), broken)
    imported(DryRunLoader(), MemoryFile(path, []))
    imported(DryRunLoader(), RefusedFile(path, "It is damaged."))
    imported(DryRunLoader(), clean, is_dry=True)
    imported(DryRunLoader(), clean, faulty)  # two tables of one file
    imported(DryRunLoader(), MemoryFile(path.with_name("other.csv"), [trade_batch(TRADES[:2])]))
    assert beside.exists()
    assert imported(DryRunLoader(), clean, clean).files[0].reason == ""
    assert not beside.exists()


@pytest.mark.parametrize("text", ["", "my own notes\n", "number,reason,row\n"])
def test_a_file_of_that_name_that_no_import_wrote_stays(path: Path, text: str) -> None:
    beside = path.with_name(path.name + SUFFIX)
    beside.write_text(text)
    imported(DryRunLoader(), MemoryFile(path, [trade_batch(TRADES[:2])]))
    assert beside.read_text() == text


@pytest.mark.parametrize("suffix", [".zip", ".gz", ".zip with a checksum"])
def test_a_cancelled_import_ends_with_the_block_that_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"BTCUSDT-trades-2024-08-09{suffix[:4].strip()}"
    text = "".join(map(line, TRADES)).encode()
    if suffix == ".gz":
        path.write_bytes(gzip.compress(text))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"{path.stem}.csv", text)
    if "checksum" in suffix:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    check_going, asked = byte_source.check_going, list[Path]()
    for module in (byte_source, checksum, zip_members):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1_000)  # of 60,000
        monkeypatch.setattr(module, "check_going", lambda *one: cancel_at_third(*one))

    def cancel_at_third(path: Path, is_stopped: Callable[[], bool]) -> None:
        asked.append(path)
        if len(asked) == 3:
            work.cancel()
        check_going(path, is_stopped)

    work = FileImport([ImportSource(path, ReadingOptions())], open_rows, DryRunLoader())
    report = work.run()
    assert report.stopped_because == "The import was cancelled; run it again to go on."
    assert figures(report) == (0, 0, 0, 0, 0)
    assert asked == [path] * 3


def test_each_source_is_read_with_its_own_options() -> None:
    asked: list[tuple[Path, ReadingOptions]] = []

    def open_each(path: Path, options: ReadingOptions, is_stopped: Callable[[], bool]) -> Iterator[MemoryFile]:
        asked.append((path, options))
        yield MemoryFile(path, [trade_batch(TRADES)])

    sources = [ImportSource(Path(name), ReadingOptions(symbol=name)) for name in ("A", "B")]
    assert figures(FileImport(sources, open_each, DryRunLoader()).run()) == (2_000, 1_000, 1_000, 0, 0)
    assert asked == sources


def test_a_fault_in_a_reader_is_raised(path: Path) -> None:
    class Faulty(MemoryFile):
        def batches(self) -> Iterator[RowBatch]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        imported(DryRunLoader(), Faulty(path, []))


def test_small_batches_are_joined_and_each_row_keeps_its_number() -> None:
    parts = [
        trade_batch(TRADES[:3], [RefusedRow(2, "bad", "x")]),
        trade_batch(TRADES[3:5]),
        trade_batch([trade._replace(symbol="ETHUSDT") for trade in TRADES[5:7]]),
        trade_batch(TRADES[7:9]),
    ]
    joined = list(collected(parts, largest=5))
    assert [one.batch.symbol for one in joined] == ["BTCUSDT", "ETHUSDT", "BTCUSDT"]
    assert [one.numbers.tolist() for one in joined] == [[1, 3, 4, 5, 6], [7, 8], [9, 10]]
    assert [one.rows for one in joined] == [6, 2, 2]
    assert joined[0].refused_row(2, "why").number == 4


def test_refused_rows_do_not_wait_in_memory_for_good_ones() -> None:
    refused = [RefusedRow(number, "bad", "x") for number in range(1, 11)]
    joined = list(collected([trade_batch([], refused)] * 10, largest=20))
    assert [(one.rows, len(one.unread)) for one in joined] == [(20, 20)] * 5


def test_an_import_ends_with_what_a_library_raises_in_its_panic() -> None:
    class Panic(BaseException):
        pass

    def panicking(*_: object) -> Iterator[RefusedFile]:
        raise Panic
        yield

    with pytest.raises(Panic):
        FileImport(GIVEN, panicking, DryRunLoader()).run()


def test_numbers_that_a_reader_gives_are_taken() -> None:
    batch = trade_batch(TRADES[:2])
    given = TradeBatch(*(getattr(batch, name) for name in TradeBatch.__slots__[:-1]), numbers=[7, 9])
    numbers = RowNumbers()
    assert list(numbers.of(given, 2)) == [7, 9]
    assert list(numbers.of(batch, 2)) == [3, 4]


def test_what_was_read_before_a_failure_comes_before_it() -> None:
    def failing() -> Iterator[TradeBatch]:
        yield trade_batch(TRADES[:2])
        raise FileError("It ends early.")

    trades = collected(failing())
    assert next(trades).batch.trade_id.tolist() == [100, 101]
    with pytest.raises(FileError):
        next(trades)


def test_a_day_of_klines_that_ends_early_is_not_whole(path: Path) -> None:
    lacking = "It ends early: it holds 0 of the 24 candles that its name promises."
    report = imported(DryRunLoader(), MemoryFile(path, [], kind=RowKind.KLINES, lacking=lacking))
    assert lacking in report.files[0].reason
    assert report.files[0].is_short
    # Of trades the ids tell, so a doubt about their times is none of the report's.
    report = imported(DryRunLoader(), MemoryFile(path, [trade_batch(TRADES)], lacking="It may be cut off."))
    assert (report.is_whole, report.files[0].reason) == (True, "")
