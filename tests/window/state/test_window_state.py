"""What the window remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.config.settings import DEFAULT_SYMBOLS, Settings, load
from app.market.interval import Interval
from app.window.state.symbol_lists import SymbolList, SymbolLists
from app.window.state.window_state import WindowState, load_state, save_state

STATE = WindowState(
    "ETHUSDT",
    Interval.parse("13m"),
    SymbolLists([SymbolList("Main", ["ETHUSDT", "ADAUSDT"]), SymbolList("Layer 1", ["SOLUSDT", "ETHUSDT"])]),
    "light",
    bytes(range(256)),
    chart={"style": {"kind": "area"}},
    bars={"panel": {"open": False, "width": 320}, "intervals": {"favourites": ["1m", "13m"]}},
    diagnostics={"plots_share": 0.3, "level": 30, "filter": "BTC"},
    candle_colours="blue-orange",
    text_percent=125,
)


def settings_in(folder: Path, **options: Any) -> Settings:
    return load({"data_dir": str(folder), **options}, environment={}, file=folder / "none.toml")


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_state(STATE, tmp_path)
    assert load_state(settings_in(tmp_path)) == STATE
    assert [path.name for path in tmp_path.iterdir()] == ["window.json"]


def test_a_text_size_set_for_one_run_holds_for_that_run(tmp_path: Path) -> None:
    save_state(STATE, tmp_path)
    assert load_state(settings_in(tmp_path)).text_percent == 125
    for_this_run = load_state(settings_in(tmp_path, text_percent="150"))
    assert for_this_run.text_percent == 150
    save_state(for_this_run, tmp_path)
    assert load_state(settings_in(tmp_path)).text_percent == 125


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [("theme", "CRYPTOPIPE_THEME", "dark"), ("candle_colours", "CRYPTOPIPE_CANDLE_COLOURS", "green-red")],
)
def test_a_theme_and_colours_of_the_environment_hold_for_that_run(
    tmp_path: Path, name: str, variable: str, value: str
) -> None:
    save_state(STATE, tmp_path)
    state = load_state(load({"data_dir": str(tmp_path)}, environment={variable: value}, file=tmp_path / "none.toml"))
    assert getattr(state, name) == value
    save_state(state, tmp_path)
    assert getattr(load_state(settings_in(tmp_path)), name) == getattr(STATE, name)


def test_a_theme_of_the_settings_file_gives_way_to_the_one_chosen_since(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "dark"')
    save_state(STATE, tmp_path)
    assert load_state(load({"data_dir": str(tmp_path)}, environment={}, file=file)).theme == STATE.theme


@pytest.mark.parametrize("stored", [0, -1, 10**9])
def test_an_impossible_text_size_is_ignored(tmp_path: Path, stored: int) -> None:
    save_state(replace(STATE, text_percent=stored), tmp_path)
    assert load_state(settings_in(tmp_path)).text_percent == 100


def test_at_the_first_start_the_settings_count(tmp_path: Path) -> None:
    state = load_state(settings_in(tmp_path, symbols="XRPUSDT,BNBUSDT", interval="4h", theme="light"))
    named = ("XRPUSDT", "BNBUSDT")
    assert state == WindowState("XRPUSDT", Interval.parse("4h"), SymbolLists.of(named), "light", setting=named)


def test_symbols_set_for_one_run_hold_for_that_run_and_the_saved_list_stays(tmp_path: Path) -> None:
    save_state(STATE, tmp_path)
    state = load_state(settings_in(tmp_path, symbols="XRPUSDT", interval="4h"))
    assert (state.symbol, state.watchlist, state.interval) == ("XRPUSDT", ["XRPUSDT"], Interval.parse("4h"))
    assert state.layout == STATE.layout
    assert state.lists.names() == ["This run"]
    state.watchlist.append("SOLUSDT")
    save_state(state, tmp_path)
    after = load_state(settings_in(tmp_path))
    assert (after.symbol, after.lists) == (STATE.symbol, STATE.lists)


def test_symbols_changed_in_the_settings_file_replace_the_first_list_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"

    def start() -> WindowState:
        return load_state(load({"data_dir": str(tmp_path)}, environment={}, file=file))

    save_state(STATE, tmp_path)
    assert start().watchlist == STATE.watchlist
    file.write_text('symbols = ["XRPUSDT", "SOLUSDT"]')
    state = start()
    assert (state.symbol, state.watchlist) == ("XRPUSDT", ["XRPUSDT", "SOLUSDT"])
    assert state.lists.lists[1] == STATE.lists.lists[1]
    state.watchlist.append("LTCUSDT")
    save_state(state, tmp_path)
    assert start().watchlist == ["XRPUSDT", "SOLUSDT", "LTCUSDT"]
    file.write_text("")
    assert start().watchlist == list(DEFAULT_SYMBOLS)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\x00garbage",
        b'{"symbol": "\xff"}',
        b'{"chart": {"x": ' + b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"symbol": 5, "interval": "1m", "watchlist": [], "theme": "dark"}',
        b'{"symbol": "X", "interval": "1m", "watchlist": "X", "theme": "dark"}',
    ],
)
def test_a_file_of_garbage_is_ignored(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "window.json").write_bytes(text)
    state = load_state(settings_in(tmp_path))
    assert state == load_state(settings_in(tmp_path / "new"))
    assert state.trouble.startswith("window.json could not be read")
    save_state(state, tmp_path)
    assert (tmp_path / "window.damaged.json").read_bytes() == text  # for whoever wants to mend it


def test_invalid_parts_of_the_file_are_ignored_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "window.json").write_text(
        '{"symbol": "ETHUSDT", "interval": "5x", "watchlist": ["ETHUSDT"], "theme": "pink", "layout": "%%€"}'
    )
    state = load_state(settings_in(tmp_path))
    assert state == WindowState("ETHUSDT", Interval.parse("1m"), SymbolLists.of(["ETHUSDT"]), "system", b"")


def test_a_folder_that_cannot_be_written_loses_the_state_and_nothing_else(tmp_path: Path) -> None:
    save_state(STATE, tmp_path / "no" / "such" / "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_while_saving_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(STATE, tmp_path)

    def crash(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.window.state.window_state.os.replace", crash)
    save_state(WindowState("X", Interval.parse("1m"), SymbolLists.of([]), "dark"), tmp_path)
    assert load_state(settings_in(tmp_path)) == STATE


def test_the_lists_and_the_one_shown_are_kept_and_a_file_of_one_list_is_read(tmp_path: Path) -> None:
    state = replace(STATE, lists=SymbolLists(STATE.lists.lists, shown=1))
    save_state(state, tmp_path)
    assert load_state(settings_in(tmp_path)).lists.shown == 1
    stored = json.loads((tmp_path / "window.json").read_text())
    assert stored["watchlist"] == ["ETHUSDT", "ADAUSDT", "SOLUSDT"]  # older versions show them all
    del stored["lists"], stored["shown_list"]
    (tmp_path / "window.json").write_text(json.dumps(stored))
    old = load_state(settings_in(tmp_path))
    assert old.lists == SymbolLists.of(["ETHUSDT", "ADAUSDT", "SOLUSDT"])
    assert old.trouble == ""


@pytest.mark.parametrize(
    "damaged",
    [
        5,
        "x",
        [],
        [7],
        [{"name": "Main"}],
        [{"name": "Layer 1", "symbols": ["SOLUSDT", "ETHUSDT"]}, {"name": 5, "symbols": ["ADAUSDT"]}],
        [{"name": "Layer 1", "symbols": ["SOLUSDT", 5]}],
    ],
)
def test_a_damaged_list_loses_no_symbol_and_costs_a_sentence(tmp_path: Path, damaged: object) -> None:
    save_state(STATE, tmp_path)
    stored = json.loads((tmp_path / "window.json").read_text())
    stored["lists"] = damaged
    (tmp_path / "window.json").write_text(json.dumps(stored))
    state = load_state(settings_in(tmp_path))
    assert set(state.lists.union()) == set(STATE.lists.union())
    assert state.symbol == STATE.symbol
    first = state.lists.names()[0]
    assert state.trouble == (
        "" if damaged == [] else f"A watchlist could not be read: its symbols are in “{first}” now."
    )


@pytest.mark.parametrize("shown", [-1, 2, 10**9, "x", None, 1.5])
def test_a_list_that_is_not_there_cannot_be_shown(tmp_path: Path, shown: object) -> None:
    save_state(STATE, tmp_path)
    stored = json.loads((tmp_path / "window.json").read_text())
    (tmp_path / "window.json").write_text(json.dumps({**stored, "shown_list": shown}))
    assert load_state(settings_in(tmp_path)).lists.shown == 0
