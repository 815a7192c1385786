"""
Files as users have them: damaged, traps, odd, too large for the disk, not theirs. Each has one clear sentence.

What the sentence says is all that happened: the database holds what was good, and nothing is left beside the files. An
import that is cancelled, killed, or whose database has no room is in test_import_killed; an export that is cancelled in
test_export.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.main import main
from app.market.interval import Interval
from app.market.trade import Trade
from app.market.units import format_e8
from storage.files.times import format_time
from tests.commands.play import TRADES, Play, line
from tests.program import PROGRAM, exchange, point_to
from tests.storage.helpers import stored
from tests.storage.small_disk import mounted

TABLES = ("trades", "coverage", "klines", "kline_ranges", "symbols")
NAME = "BTCUSDT-trades-2024-08-08"
ROWS = "".join(map(line, TRADES))


def zipped(path: Path, *members: tuple[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in members:
            packed.writestr(name, text)


def cut_zip(path: Path) -> None:
    zipped(path, (f"{NAME}.csv", ROWS))
    path.write_bytes(path.read_bytes()[:-40])


def changed_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr(f"{NAME}.csv", ROWS)
    path.write_bytes(path.read_bytes().replace(b",True\n", b",Frue\n", 1))


def wrong_checksum(path: Path) -> None:
    zipped(path, (f"{NAME}.csv", ROWS))
    wrong = hashlib.sha256(b"another file").hexdigest()
    path.with_name(f"{path.name}.CHECKSUM").write_text(f"{wrong}  {path.name}\n")


def cut_gzip(path: Path) -> None:
    import gzip

    path.write_bytes(gzip.compress(ROWS.encode())[:-30])


def bomb_sheet(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "<workbook/>")
        packed.writestr("xl/worksheets/sheet1.xml", bytes(300_000_000))


def future_zip(path: Path) -> None:
    zipped(path, (f"{NAME}.csv", ROWS))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99  # the version of the format that it takes to unpack it
    path.write_bytes(content)


def nameless_zip(path: Path) -> None:
    zipped(path, ("é.csv", ROWS))
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xc3("))


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut.zip": (cut_zip, "{path} is no whole zip: it is damaged or was cut off. Get it again."),
    "changed.zip": (
        changed_zip,
        f"{{path}} is damaged: {NAME}.csv does not have the checksum that the zip states.",
    ),
    "bomb.zip": (
        lambda path: zipped(path, ("a.csv", "0" * 50_000_000)),
        r"{path} would unpack from [\d,]+ to 50,000,000 bytes, which no table does: nothing of it was used.",
    ),
    "bomb.xlsx": (
        bomb_sheet,
        r"{path} would unpack from [\d,]+ to [\d,]+ bytes, which no table does: nothing of it was used.",
    ),
    "traversal.zip": (
        lambda path: zipped(path, ("../../evil.csv", ROWS)),
        "{path} holds a file that would leave its folder, ../../evil.csv: nothing of it was used.",
    ),
    "absolute.zip": (
        lambda path: zipped(path, ("/etc/evil.csv", ROWS)),
        "{path} holds a file that would leave its folder, /etc/evil.csv: nothing of it was used.",
    ),
    "future.zip": (future_zip, "{path} is packed in a way that is not read here. Unpack it first."),
    "nameless.zip": (nameless_zip, "{path} is no whole zip: it is damaged or was cut off. Get it again."),
    "dot.zip": (
        lambda path: zipped(path, (".", ROWS)),
        "{path} holds no table: a zip is read where it holds CSV or JSON.",
    ),
    "deep.json": (
        lambda path: path.write_text("[" * 100_000),
        "{path} is no table: its values lie too deep in one another.",
    ),
    f"{NAME}.zip": (
        wrong_checksum,
        f"{{path}} does not have the checksum in {NAME}.zip.CHECKSUM: it is damaged. Get both again.",
    ),
    "cut.csv.gz": (cut_gzip, "{path} ends early: it was cut off. Get it again."),
    "empty.csv": (lambda path: path.write_text(""), "{path} is empty."),
    "blank.csv": (lambda path: path.write_text("\n \n"), "{path} is empty: it has no rows."),
    "header.csv": (
        lambda path: path.write_text("id,price,qty,time,is_buyer_maker\n"),
        "{path} has no rows.",
    ),
    "empty.zip": (lambda path: zipped(path), "{path} holds no table: a zip is read where it holds CSV or JSON."),
    "of-empty.zip": (lambda path: zipped(path, (f"{NAME}.csv", "")), "{path} is empty: it has no rows."),
    "picture.csv": (
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        "{path} is not a table of a kind that is read here.",
    ),
    "folder.csv": (lambda path: path.mkdir(), "{path} holds no file of trades, quotes or candles."),
    "texts": (
        lambda path: (path.mkdir(), (path / "README.md").write_text("x"), (path / "tool.exe").write_bytes(b"MZ")),
        "{path} holds no file of trades, quotes or candles.",
    ),
    **(
        {"pipe.csv": (os.mkfifo, "{path} is a device or a pipe: save what it gives in a file first.")}
        if hasattr(os, "mkfifo")
        else {}
    ),
    "absent.csv": (lambda path: None, "{path} cannot be read: No such file or directory."),
    "ETHUSDT-trades-2024-08-08.csv": (
        lambda path: path.write_text(ROWS),
        "{path} holds ETHUSDT by its name, not BTCUSDT: leave out --symbol.",
    ),
}


def counts(play: Play) -> list[int]:
    return [play.world.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_cannot_be_used_has_one_sentence_each_and_the_database_stays_as_it_was(play: Play) -> None:
    paths = [play.folder / name for name in UNUSABLE]
    for path, (make, _) in zip(paths, UNUSABLE.values(), strict=True):
        make(path)
    before, files = counts(play), tree(play.folder)
    code, printed, complaint = play.run(*paths, "--symbol", "BTCUSDT")
    lines = complaint.splitlines()
    for path, (_, sentence), said in zip(paths, UNUSABLE.values(), lines, strict=True):
        assert re.fullmatch(sentence.replace("{path}", f"cryptopipe: {re.escape(str(path))}"), said), said
    assert (code, printed) == (1, f"0 rows read from {len(paths)} files: 0 stored, 0 held already.\n")
    assert (counts(play), tree(play.folder)) == (before, files)
    good = play.archive(f"{NAME[:-1]}9", TRADES)
    code, printed, complaint = play.run(*paths[:3], good, *paths[3:], "--symbol", "BTCUSDT")
    assert (code, complaint.splitlines()) == (1, lines)
    assert printed == f"500 rows read from {len(paths) + 1} files: 500 stored, 0 held already.\n"
    assert stored(play.world.store) == TRADES


def cells(trade: Trade, mark: str = ".") -> list[str]:
    amounts = [format_e8(amount).replace(".", mark) for amount in (trade.price_e8, trade.quantity_e8)]
    return [str(trade.trade_id), *amounts, str(trade.time_us // 1000), str(trade.is_buyer_maker).lower()]


HEADER = ["id", "price", "qty", "time", "is_buyer_maker"]


def table(delimiter: str = ",", end: str = "\n", mark: str = ".", quote: str = "") -> str:
    rows = [HEADER, *(cells(trade, mark) for trade in TRADES)]
    return "".join(delimiter.join(f"{quote}{cell}{quote}" for cell in row) + end for row in rows)


def in_mixed_units() -> str:
    rows = []
    for number, trade in enumerate(TRADES):
        row = cells(trade)
        row[3] += ("", "000", "000000")[number % 3]  # ms, µs, ns
        rows.append(",".join(row))
    return "\n".join([",".join(HEADER), *rows])


ODD = {
    "quotes": table(quote='"').encode(),
    "byte order mark": table().encode("utf-8-sig"),
    "CRLF": table(end="\r\n").encode(),
    "old line ends": table(end="\r").encode(),
    "decimal comma": table(";", mark=",").encode(),
    "decimal comma between commas": table(mark=",", quote='"').encode(),
    "all of it": table(";", "\r\n", ",", '"').encode("utf-8-sig"),
    "UTF-16": table("\t").encode("utf-16"),
    "mixed units": in_mixed_units().encode(),
    "no last line end": table().rstrip("\n").encode(),
    "blank lines": table(end="\n\n").encode(),
}


def test_an_odd_table_is_read_to_the_digit(play: Play) -> None:
    paths = []
    for number, content in enumerate(ODD.values()):
        paths.append(play.folder / f"T{number}USDT-trades.csv")
        paths[-1].write_bytes(content)
    code, report = play.report(*paths)
    for number, what in enumerate(ODD):
        expected = [trade._replace(symbol=f"T{number}USDT") for trade in TRADES]
        assert stored(play.world.store, f"T{number}USDT") == expected, what
    assert code == 0, [file["reason"] for file in report["files"]]
    assert tree(play.folder) == sorted(path.name for path in paths)


def test_a_table_with_holes_is_stored_but_for_them_and_they_are_named(play: Play) -> None:
    lines = ROWS.splitlines()
    del lines[10:12]  # ids 110 and 111
    lines[20] = lines[20].replace(",", ",,", 1)
    lines[30] = '130,"1.0'
    lines[40] = ""
    lines[50] = re.sub(r",\d{13},", ",1723,", lines[50])
    path = play.file(f"{NAME}.csv", "\n".join(lines))
    code, printed, complaint = play.run(path)
    assert (code, printed) == (3, "497 rows read from 1 file: 494 stored, 0 held already, 3 refused.\n")
    assert complaint == (
        f"cryptopipe: {path}: Row 21 is the first refused: has 8 columns instead of 7. "
        "6 ids of BTCUSDT are missing inside, the first is 110.\n"
    )
    with path.with_name(f"{path.name}.refused.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["21", "31", "50"]
    assert len(stored(play.world.store)) == 494
    assert tree(play.folder) == [path.name, f"{path.name}.refused.csv"]


def test_tables_of_one_file_share_its_refused_rows(play: Play) -> None:
    path = play.folder / "both.zip"
    bad = [f"{number},no price,1,0,1723161255342,true,true\n" for number in (1, 2)]
    zipped(path, ("a/ADAUSDT-trades-2024-08-08.csv", bad[0] + ROWS), ("b/XRPUSDT-trades-2024-08-08.csv", ROWS + bad[1]))
    code, report = play.report(path)
    assert code == 3
    assert [(file["table"], file["stored"], file["refused"]) for file in report["files"]] == [
        ("a/ADAUSDT-trades-2024-08-08.csv", 500, 1),
        ("b/XRPUSDT-trades-2024-08-08.csv", 500, 1),
    ]
    with path.with_name("both.zip.refused.csv").open(newline="") as file:
        rows = [(row["number"], row["row"][0], row["table"]) for row in csv.DictReader(file)]
    assert rows == [
        ("1", "1", "a/ADAUSDT-trades-2024-08-08.csv"),
        ("501", "2", "b/XRPUSDT-trades-2024-08-08.csv"),
    ]
    zipped(path, ("good.csv", f"{','.join(HEADER)}\n{','.join(cells(TRADES[0]))}\n"), ("none.csv", ""))
    code, _, complaint = play.run(path, "--symbol", "SOLUSDT")
    assert (code, complaint) == (1, f"cryptopipe: {path} (none.csv) is empty: it has no rows.\n")


@contextlib.contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond that: to a program that writes, the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_takes_no_refused_rows_and_no_export_and_says_so(play: Play) -> None:
    bad = [f"{number},no price,1,0,1723161255342,true,true\n" for number in range(3_000)]
    path = play.file(f"{NAME}.csv", ROWS + "".join(bad))
    with largest_file(200_000):
        code, printed, complaint = play.run(path)
    assert (code, printed) == (3, "3,500 rows read from 1 file: 500 stored, 0 held already, 3,000 refused.\n")
    assert complaint.endswith(
        f"{path}.refused.csv could not be written: File too large. The refused rows are counted all the same.\n"
    )
    assert stored(play.world.store) == TRADES
    assert tree(play.folder) == [path.name]
    target = play.file("out.csv", "old")
    with largest_file(20_000):
        assert main(["export", "BTCUSDT", "trades", "--stored", "--out", str(target)]) == 1
    said = play.capsys.readouterr().err
    assert said == f"cryptopipe: {target} cannot be written: File too large. Nothing was left behind.\n"
    assert target.read_text() == "old"
    assert tree(play.folder) == sorted([path.name, "out.csv"])


def test_a_full_disk_ends_a_download_with_one_sentence_and_the_next_one_goes_on(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_us = Interval.parse("1d").length_us
    today_us = time.time_ns() // 1_000 // day_us * day_us
    span = [format_time(today_us - days * day_us)[:10] for days in (2, 1)]  # yesterday's file may not be there yet
    command = [*PROGRAM, "history", "BTCUSDT", "trades", "--from", span[0], "--to", span[1], "--source", "archive"]

    def ended() -> tuple[int, str, str]:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        return done.returncode, done.stdout, done.stderr

    before, data_dir = counts(play), play.folder.parent / "data"
    with exchange(rate=0.3) as server, mounted(data_dir, "size=4m") as disk:
        point_to(server, monkeypatch)
        disk.fill(leave=60_000)
        for _ in range(2):
            assert ended() == (
                1,
                "",
                "cryptopipe: The disk is full: make room for the archive's files in "
                f"{data_dir / 'archive'}, then try again.\n",
            )
            assert counts(play) == before
        disk.make_room()
        code, printed, complaint = ended()
    assert (code, complaint) == (0, "")
    assert re.fullmatch(r"([\d,]+) trades read, \1 stored, 0 held already; 1 file from the archive\.\n", printed)


def bound_by_permissions() -> list[str]:
    """Return how to start a program that permissions bind, which root's are not."""
    if os.geteuid() != 0:
        return []
    program = shutil.which("setpriv")
    if program is None:
        pytest.skip("root may read everything, and there is no setpriv to give that up")
    return [program, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_what_may_not_be_read_has_one_sentence_and_the_rest_goes_on(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret.csv", tmp_path / "folder"
    inner = folder / "inner"
    inner.mkdir(parents=True)
    for path in (secret, inner / "a.csv", folder / f"{NAME}.csv"):
        path.write_text(ROWS)
    program = [*bound_by_permissions(), *PROGRAM]
    for locked in (secret, inner):
        locked.chmod(0)
    try:
        # A dry run, because the socket of the tests' database is another user's.
        command = [*program, "import", str(secret), str(folder), "--dry-run"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    finally:
        for locked in (secret, inner):
            locked.chmod(0o755)
    assert done.stderr.splitlines() == [
        f"cryptopipe: {path} cannot be read: Permission denied." for path in (secret, inner)
    ]
    assert (done.returncode, done.stdout) == (1, "500 rows read from 3 files: 500 would be stored, 0 held already.\n")


@contextlib.contextmanager
def unwritable(folder: Path, name: str, text: str) -> Iterator[Path]:
    """Yield such a file in a folder that takes no other, and why it does not."""
    if os.geteuid() != 0:
        folder.mkdir()
        (folder / name).write_text(text)
        folder.chmod(0o555)
        yield folder / name
        folder.chmod(0o755)
        return
    with mounted(folder, "size=1m") as disk:
        (disk.path / name).write_text(text)
        subprocess.run(["mount", "-o", "remount,ro", disk.path], check=True)
        yield disk.path / name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_beside_a_file_in_a_folder_that_takes_no_other_nothing_is_written_and_one_sentence_says_so(play: Play) -> None:
    with unwritable(play.folder / "public", f"{NAME}.csv", ROWS + "1,no price,1,0,1723161255342,true,true\n") as path:
        why = "Permission denied" if os.geteuid() else "Read-only file system"
        assert play.run(path) == (
            3,
            "501 rows read from 1 file: 500 stored, 0 held already, 1 refused.\n",
            f"cryptopipe: {path}: Row 501 is the first refused: price is not a number: 'no price'. "
            f"{path}.refused.csv could not be written: {why}. The refused rows are counted all the same.\n",
        )
        assert stored(play.world.store) == TRADES
        target = path.with_name("a.csv")
        assert main(["export", "BTCUSDT", "trades", "--stored", "--out", str(target)]) == 2
        printed = play.capsys.readouterr()
        assert printed == ("", f"cryptopipe: {target} cannot be written: {why}. Choose another folder.\n")
        assert tree(path.parent) == [path.name]


@pytest.mark.parametrize("command", [["export", "NOSUCHUSDT", "1m"], ["history", "NOSUCHUSDT", "trades"]])
def test_a_symbol_that_is_not_listed_is_one_sentence_and_makes_nothing(
    play: Play, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(play.folder)
    before = counts(play)
    with exchange() as server:
        point_to(server, monkeypatch)
        assert main([*command, "--from", "2024-08-08", "--to", "2024-08-09"]) == 2
    printed = play.capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"cryptopipe: .*NOSUCHUSDT.*\n", printed.err)
    # Those that are listed are noted, with their tick sizes.
    assert (counts(play)[:-1], tree(play.folder)) == (before[:-1], [])
