"""The colours that indicators get: no two lines over the prices have one, whatever is added and however."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.indicators import find
from widgets.chart.indicators.study import COUNT, Study, StudySet, line_colour
from widgets.theme.palettes import DARK, LIGHT, Palette

KEYS = ("sma", "ema", "wma", "bollinger", "vwap", "rsi", "macd", "atr", "volume-average")
OVER_PRICES = ("sma", "ema", "wma", "bollinger", "vwap")
# What the user does: adds an indicator, gives one more periods, or chooses a colour for one.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(KEYS)),
        st.tuples(st.just("periods"), st.integers(2, 3)),
        st.tuples(st.just("colour"), st.integers(1, 8)),
    ),
    max_size=9,
)


def over_prices(studies: StudySet) -> list[set[str]]:
    """The colours of each hue of the studies over the prices."""
    return [
        {study.colour_of(DARK, output.name).name() for output in study.outputs if output.hue == hue}
        for study in studies
        if study.indicator.key in OVER_PRICES
        for hue in range(study.values.hues)
    ]


@given(steps)
def test_a_new_line_over_the_prices_has_a_colour_of_its_own(doings: list[tuple[str, int | str]]) -> None:
    studies = StudySet()
    for doing, detail in doings:
        before = over_prices(studies)
        mine = [study for study in studies if study.indicator.repeated]
        if doing == "add":
            indicator = find(str(detail))
            assert indicator is not None
            study = studies.make(indicator)
            studies.add(study)
        elif doing == "periods" and mine:
            periods = tuple(range(5, 5 + int(detail)))
            mine[0].change({**mine[0].settings, "period": periods}, mine[0].colours)
            studies.seat(mine[0])
        elif doing == "colour" and mine:
            mine[0].change(mine[0].settings, {mine[0].outputs[0].name: f"line-{detail}"})
            continue  # the user may choose any
        after = over_prices(studies)
        new = [one for one in after if one not in before]
        assert len(after) > COUNT or all(sum(bool(one & other) for other in after) == 1 for one in new)


def test_a_line_keeps_its_colour_when_another_is_added_and_after_a_restart() -> None:
    studies = StudySet()
    for key in ("sma", "bollinger"):
        indicator = find(key)
        assert indicator is not None
        studies.add(studies.make(indicator))
    first, second = studies
    first.change({**first.settings, "period": (20, 50)}, {})
    studies.seat(first)
    assert colours(first)[0] == line_colour(DARK, 0).name()
    assert len({*colours(first), *colours(second)}) == 3
    kept = [colours(study) for study in studies]
    again = StudySet()
    again.restore(studies.to_values())
    assert [colours(study) for study in again] == kept
    old = [{name: value for name, value in one.items() if name != "seats"} for one in studies.to_values()]
    again.restore(old)  # as an older version wrote it
    assert colours(next(iter(again)))[0] == kept[0][0]


def colours(study: Study) -> list[str]:
    return [study.colour_of(DARK, output.name).name() for output in study.outputs]


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_line_colours_differ_from_each_other(palette: Palette) -> None:
    named = [line_colour(palette, number) for number in range(COUNT)]
    for at, one in enumerate(named):
        for other in named[:at]:
            parts = zip(one.getRgb()[:3], other.getRgb()[:3], strict=True)
            assert sum((mine - its) ** 2 for mine, its in parts) ** 0.5 > 30
