"""Which pieces a download is made of: each microsecond asked for is known, or in exactly one piece."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.live.transfers.downloads.plan import Piece, plan
from app.market.coverage import IdRanges
from app.market.ports.archive import DAY_US

HOUR_US = DAY_US // 24
START_US = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def day(number: int, hour: int = 0) -> int:
    return START_US + number * DAY_US + hour * HOUR_US


def planned(
    start_us: int, end_us: int, known: IdRanges | None = None, *, now_us: int = day(400), whole_days: bool = False
) -> list[Piece]:
    return plan(
        "BTCUSDT",
        None,
        start_us,
        end_us,
        known or IdRanges(),
        now_us=now_us,
        from_archive=True,
        whole_days=whole_days,
    )


def names(pieces: list[Piece]) -> list[str]:
    return [
        piece.file.name.removeprefix("BTCUSDT-trades-").removesuffix(".zip") if piece.file else "-" for piece in pieces
    ]


def test_whole_months_then_days_newest_first() -> None:
    assert names(planned(day(-1), day(61))) == ["2024-03-01", "2024-02", "2024-01", "2023-12-31"]


def test_a_month_that_is_not_over_or_not_wanted_as_a_whole_comes_by_days() -> None:
    assert names(planned(day(29), day(33))) == ["2024-02-02", "2024-02-01", "2024-01-31", "2024-01-30"]
    assert names(planned(day(0), day(31), now_us=day(30, 5)))[:2] == ["-", "2024-01-30"]
    assert names(planned(day(0), day(31), IdRanges([(day(3), day(4) - 1)])))[-3:] == [
        "2024-01-03",
        "2024-01-02",
        "2024-01-01",
    ]


def test_of_a_day_of_which_a_part_is_wanted_the_file_is_used_or_the_exchange_is_asked() -> None:
    assert names(planned(day(0, 20), day(2, 3))) == ["2024-01-03", "2024-01-02", "2024-01-01"]
    pieces = planned(day(0, 20), day(2, 3), whole_days=True)
    assert names(pieces) == ["-", "2024-01-02", "-"]
    assert [(piece.start_us, piece.end_us) for piece in pieces][::2] == [(day(2), day(2, 3)), (day(0, 20), day(1))]


def test_a_day_wanted_in_two_parts_is_fetched_once() -> None:
    (piece,) = planned(day(0), day(1), IdRanges([(day(0, 5), day(0, 9) - 1)]))
    assert (piece.start_us, piece.end_us) == (day(0), day(1))


def test_what_is_known_is_not_planned() -> None:
    assert planned(day(0), day(9), IdRanges([(day(-1), day(9))])) == []


def test_a_months_piece_has_its_days() -> None:
    (month,) = planned(day(31), day(60))
    assert names(month.days)[:2] == ["2024-02-29", "2024-02-28"]
    assert len(month.days) == 29
    assert month.days[0].days == []


@given(
    st.tuples(st.integers(-50, 2500), st.integers(1, 2500)),
    st.lists(st.tuples(st.integers(-50, 2600), st.integers(1, 500)), max_size=5),
    st.integers(0, 2600),
    st.booleans(),
)
def test_each_hour_is_known_or_in_one_piece(
    asked: tuple[int, int], known_hours: list[tuple[int, int]], now: int, whole_days: bool
) -> None:
    start, end = asked[0], asked[0] + asked[1]
    known = IdRanges()
    for first, count in known_hours:
        known.add_range(day(0, first), day(0, first + count) - 1)
    pieces = planned(day(0, start), day(0, end), known, now_us=day(0, now), whole_days=whole_days)
    covered: dict[int, int] = {}
    for piece in pieces:
        assert piece.start_us < piece.end_us
        if piece.file is not None:
            assert piece.file.end_us <= day(0, now)
            assert piece.file.start_us <= piece.start_us < piece.end_us <= piece.file.end_us
        for hour_us in range(piece.start_us, piece.end_us, HOUR_US):
            covered[hour_us] = covered.get(hour_us, 0) + 1
    wanted = {hour_us for hour_us in range(day(0, start), day(0, end), HOUR_US) if hour_us not in known}
    assert set(covered.values()) <= {1}
    assert wanted <= covered.keys()
    assert all(day(0, start) <= hour_us < day(0, end) for hour_us in covered)
    assert [piece.start_us for piece in pieces] == sorted((piece.start_us for piece in pieces), reverse=True)
