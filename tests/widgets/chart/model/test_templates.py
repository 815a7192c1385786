"""Templates of indicators by name: saved, renamed, deleted, and read from a file that may be damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import UsageError
from widgets.chart.model.templates import LONGEST_NAME, Templates, checked_name

EMA, RSI = {"key": "ema", "indicator": "ema"}, {"key": "rsi", "indicator": "rsi"}


def test_names_stand_as_typed_and_are_one_whatever_their_case() -> None:
    templates = Templates()
    templates.save("Trend", [EMA])
    templates.save("momentum", [RSI])
    assert templates.names == ["momentum", "Trend"]
    assert templates.named("TREND") == "Trend"
    templates.save("TREND", [EMA, RSI])
    assert templates.names == ["momentum", "TREND"]
    assert templates.indicators("trend") == [EMA, RSI]
    templates.rename("trend", "Trend")  # to itself in another case
    assert templates.names == ["momentum", "Trend"]
    with pytest.raises(UsageError, match="“Trend” already: type another name"):
        templates.rename("momentum", "tREND")
    assert templates.names == ["momentum", "Trend"]
    templates.remove("MOMENTUM")
    templates.remove("never there")
    assert templates.names == ["Trend"]
    assert templates.named("momentum") is None


@pytest.mark.parametrize("text", ["", "   ", "x" * (LONGEST_NAME + 1)])
def test_a_name_must_be_there_and_be_short(text: str) -> None:
    with pytest.raises(UsageError):
        checked_name(text)
    assert checked_name("  My   trend ") == "My trend"


def test_a_damaged_template_is_skipped_counted_and_kept_for_the_file(caplog: pytest.LogCaptureFixture) -> None:
    good = {"name": "Trend", "indicators": [EMA]}
    damaged = [3, {"name": "x"}, {"name": 7, "indicators": []}, {"name": "y", "indicators": "ema"}]
    damaged += [
        {"name": " z ", "indicators": []},
        {"name": "TREND", "indicators": []},
        {"name": "w", "indicators": [1]},
    ]
    templates = Templates()
    templates.restore([good, *damaged])
    assert (templates.names, templates.damaged) == (["Trend"], 7)
    assert "7 templates of indicators are damaged and were skipped" in caplog.text
    templates.save("New", [RSI])
    assert templates.to_values() == [good, {"name": "New", "indicators": [RSI]}, *damaged]
    for nothing in (None, "text", 5, {}):
        templates.restore(nothing)
        assert (templates.names, templates.damaged) == ([], 0)


@given(st.lists(st.tuples(st.sampled_from(["save", "rename", "remove"]), st.text("aAbßẞ ", min_size=1, max_size=3))))
def test_whatever_is_done_no_two_names_are_the_same_and_a_file_keeps_all(steps: list[tuple[str, str]]) -> None:
    templates = Templates()
    for at, (step, text) in enumerate(steps):
        try:
            name = checked_name(text)
            if step == "save":
                templates.save(name, [{"key": str(at)}])
            elif step == "remove":
                templates.remove(name)
            elif templates.names:
                templates.rename(templates.names[0], name)
        except UsageError:
            continue
        folded = [one.casefold() for one in templates.names]
        assert len(set(folded)) == len(folded)
    again = Templates()
    again.restore(templates.to_values())
    assert again.to_values() == templates.to_values()
    assert again.damaged == 0
