"""The window's process: how it starts on the simulated market, how it ends, and what it leaves behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtWidgets import QApplication

from app.config.settings import load
from app.main import _ShownWindow
from app.market.symbol import Symbol
from app.runtime.demo_market import demo_settings
from app.runtime.instance_lock import WINDOW_FILE, InstanceLock
from storage.database import Database
from tests.depth import mostly_deep
from tests.program import exchange, point_to, servers_in, set_surroundings, silent_server, started, wait_for
from widgets.theme.style import prepare_application
from widgets.view_values import QuoteView, WatchRow

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")

# The simulated market's program, replaced by one that never says where it serves and does not end by itself.
SILENT_SANDBOX = """
import subprocess, sys, types
import app.main as program
import app.runtime.demo_market as simulated
simulated._START_S = {patience_s}
def start(arguments, **options):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **options)
simulated.subprocess = types.SimpleNamespace(
    **{{**vars(subprocess), "Popen": start}}
)
"""


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path) -> None:
    set_surroundings(monkeypatch, tmp_path, data_dir)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An exchange that the window takes for the real one."""
    with exchange() as server:
        point_to(server, monkeypatch)
        yield


def log_of(data_dir: Path) -> str:
    path = data_dir / "logs" / "cryptopipe.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def has_begun(data_dir: Path) -> bool:
    """Whether the window records: its database is open and the feed is up."""
    log = log_of(data_dir)
    return "database open" in log and "→ live" in log


def stored(data_dir: Path, symbol: str = "BTCUSDT") -> list[tuple[int, int]]:
    database = Database.open(None, data_dir)
    try:
        return list(database.store.coverage(symbol))
    finally:
        assert database.close()


def test_the_simulated_market_uses_an_embedded_database_of_its_own(data_dir: Path, tmp_path: Path) -> None:
    chosen = load(
        {"data_dir": str(data_dir), "database_url": "postgresql://x@127.0.0.1/real", "postgres_bin": "/somewhere"},
        environment={},
        file=tmp_path / "none.toml",
    )
    demo = demo_settings(chosen)
    assert demo == dataclasses.replace(chosen, data_dir=data_dir / "demo", database_url="")
    assert demo.postgres_bin == "/somewhere"


def test_the_simulated_market_leaves_a_database_that_is_set_alone(data_dir: Path) -> None:
    with silent_server() as real, started("--demo", "--database-url", f"postgresql://x@{real.address}/real") as process:
        wait_for(lambda: has_begun(data_dir / "demo"), process)
        live_s = time.monotonic()
        wait_for(lambda: time.monotonic() > live_s + 2, process)  # the market trades several times a second
        process.terminate()
        assert process.communicate(timeout=40) == ("", "")
        assert process.returncode == 0
        assert real.connections == []
    assert stored(data_dir / "demo")


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_window_with_everything_stored_and_nothing_left(number: int, data_dir: Path) -> None:
    with started("--symbols", "BTCUSDT", "--log-level", "debug") as process:
        wait_for(lambda: has_begun(data_dir), process)
        assert servers_in(data_dir)
        wait_for(lambda: " trades stored in " in log_of(data_dir), process)
        process.send_signal(number)
        assert process.communicate(timeout=40) == ("", "")
        assert process.returncode == 0
    assert servers_in(data_dir) == []
    assert "could not be stored" not in log_of(data_dir)
    assert "Ending took" not in log_of(data_dir)
    (received,) = stored(data_dir)
    assert received[0] <= received[1]


@pytest.mark.parametrize("number", mostly_deep([signal.SIGTERM, signal.SIGINT], [signal.SIGTERM]))
def test_a_signal_ends_the_simulated_market_too(number: int, data_dir: Path) -> None:
    with started("--demo") as process:
        wait_for(lambda: has_begun(data_dir / "demo"), process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("sandbox" in child.cmdline() for child in children)
        process.send_signal(number)
        assert process.communicate(timeout=40) == ("", "")
        assert process.returncode == 0
    assert psutil.wait_procs(children, 10)[1] == []
    assert servers_in(data_dir) == []


# Says what market its window names and when it comes to the front; then it takes the badge's way to the live market.
RAISED = """
import sys, app.main as program
from PySide6.QtCore import QTimer
from widgets.dialogs import message
from widgets.window import window_placement
from widgets.window.main_window import MainWindow
bring_to_front, set_simulated = window_placement.bring_to_front, MainWindow.set_simulated
def say_raised(window):
    bring_to_front(window)
    print("raised", flush=True)
    QTimer.singleShot(0, window.status_bar.badge.menu().actions()[-1].trigger)
def say_market(window, is_simulated):
    set_simulated(window, is_simulated)
    print(window.top_bar.symbol.market.text(), flush=True)
window_placement.bring_to_front, MainWindow.set_simulated = say_raised, say_market
message.tell = lambda window, sentence: print(sentence, flush=True)
sys.exit(program.main(sys.argv[1:]))
"""


# A second start that a busy machine does not discourage.
PATIENT = """
import sys, app.main
from app.runtime import running_window
running_window._ANSWER_S = 40
sys.exit(app.main.main(sys.argv[1:]))
"""


def is_open(data_dir: Path, process: subprocess.Popen[str]) -> bool:
    """Whether a second start would find the process's window."""
    file = data_dir / WINDOW_FILE
    address = json.loads(file.read_bytes()) if file.exists() else {}
    return address.get("process") == process.pid and bool(address["port"])


def second_start(*arguments: str) -> tuple[str, str]:
    """Start the program where a window is open already; it raises that and says nothing."""
    with started(*arguments, script=PATIENT) as process:
        printed = process.communicate(timeout=60)
        assert process.returncode == 0, printed
    return printed


def test_a_second_start_raises_the_simulated_market_from_which_a_click_on_its_badge_leads_to_the_live_one(
    data_dir: Path,
) -> None:
    recording = InstanceLock(data_dir)
    recording.acquire()
    with started("--demo", script=RAISED) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Simulated market\n"
        assert second_start("--demo") == ("", "")  # it waits while the window loads
        assert process.stdout.readline() == "raised\n"
        assert process.stdout.readline().startswith("Another cryptopipe already records into ")
        recording.release()
        assert second_start("--demo") == ("", "")
        assert process.stdout.readline() == "raised\n"
        assert process.stdout.readline() == "Binance spot\n"
        wait_for(lambda: is_open(data_dir, process), process)
        process.kill()
        process.wait(20)
        assert (data_dir / WINDOW_FILE).exists()
    with started() as process:  # nothing of the crash is in its way
        wait_for(lambda: is_open(data_dir, process), process)
        process.terminate()
        assert process.communicate(timeout=40) == ("", "")
        assert process.returncode == 0


@pytest.mark.usefixtures("live")
def test_a_window_that_hangs_is_a_sentence_and_another_data_directory_is_another_window(
    data_dir: Path, tmp_path: Path
) -> None:
    with started() as first:
        wait_for(lambda: is_open(data_dir, first), first)
        other = tmp_path / "other"
        with started("--data-dir", str(other), "--database-url", "postgresql://x@127.0.0.1:9/x") as second:
            wait_for(lambda: is_open(other, second), second)
            second.terminate()
            assert second.communicate(timeout=40) == ("", "")
        first.send_signal(signal.SIGSTOP)
        with started() as second:
            printed = second.communicate(timeout=40)
            assert second.returncode == 1
            assert printed[0] == ""
            says = rf"cryptopipe: cryptopipe is open on .+ already and does not answer: .+ \(process {first.pid}\).+\n"
            assert re.fullmatch(says, printed[1])
        first.send_signal(signal.SIGCONT)
        first.terminate()
        first.communicate(timeout=40)
        assert first.returncode == 0
    assert not (data_dir / WINDOW_FILE).exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_without_a_display_nothing_is_made(data_dir: Path) -> None:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-m", "app.main"], env=environment, capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"cryptopipe: there is no display .+\.\n", done.stderr)
    assert not data_dir.exists()


def test_an_address_that_cannot_be_one_is_refused_before_anything_is_made(data_dir: Path) -> None:
    with started("--binance-ws-url", "example") as process:
        printed = process.communicate(timeout=40)
        assert process.returncode == 2
    assert "is no address of the exchange" in printed[1]
    assert not data_dir.exists()


# Ends within that many seconds at the latest, having waited so long for a database that may still open.
IMPATIENT = """
import sys, app.main
from app.live.recording import database_keeper
from app.runtime import early_open, shutdown
shutdown.SHUTDOWN_S, database_keeper._CLOSE_S, early_open._CLOSE_S = {ending_s}, {close_s}, {close_s}
sys.exit(app.main.main(sys.argv[1:]))
"""


def at_once(data_dir: Path) -> bool:
    """As soon as the database is being opened: most often the window is only being loaded then."""
    return True


def is_at_work(data_dir: Path) -> bool:
    """Whether the window's engine has started."""
    return "idle → connecting" in log_of(data_dir)


@pytest.mark.parametrize("moment", [at_once, is_at_work])
def test_a_database_that_hangs_is_not_waited_for_at_the_end(moment: Callable[[Path], bool], data_dir: Path) -> None:
    script = IMPATIENT.format(ending_s=30, close_s=0.1)
    with silent_server() as database:
        url = f"postgresql://x@{database.address}/hangs?connect_timeout=0&sslmode=disable"
        with started("--database-url", url, script=script) as process:
            wait_for(lambda: database.connections and moment(data_dir), process)
            process.terminate()
            assert process.communicate(timeout=20) == ("", "")
            assert process.returncode == 0


@pytest.mark.parametrize("moment", [at_once, is_at_work])
def test_a_shutdown_that_takes_too_long_is_cut_short_and_leaves_no_lock(
    moment: Callable[[Path], bool], data_dir: Path
) -> None:
    script = IMPATIENT.format(ending_s=2, close_s=60)
    with silent_server() as database:
        url = f"postgresql://x@{database.address}/hangs?connect_timeout=0&sslmode=disable"
        with started("--database-url", url, script=script) as process:
            wait_for(lambda: database.connections and moment(data_dir), process)
            began_s = time.monotonic()
            process.terminate()
            printed = process.communicate(timeout=40)
            assert time.monotonic() - began_s < 12
            assert process.returncode == 1
            assert printed[1] == (
                "cryptopipe: Ending took more than 2 s and was given up; what is not stored will be missing.\n"
            )
    lock = InstanceLock(data_dir)
    lock.acquire()
    lock.release()


def test_a_simulated_market_that_never_starts_is_a_sentence_and_leaves_no_process() -> None:
    script = SILENT_SANDBOX.format(patience_s=1.0) + "sys.exit(program.main(['--demo']))"
    with started(script=script) as process:
        wait_for(lambda: psutil.Process(process.pid).children(), process)
        children = psutil.Process(process.pid).children()
        printed = process.communicate(timeout=40)
        assert process.returncode == 1
    assert printed == (
        "",
        "cryptopipe: The simulated market did not start: run “cryptopipe sandbox” to see why.\n",
    )
    assert psutil.wait_procs(children, 10)[1] == []


# Does something once the window is shown; its name is “act”.
ONCE_SHOWN = """
make = program._application
def application(text_percent):
    from PySide6.QtCore import QTimer
    made = make(text_percent)
    QTimer.singleShot(500, lambda: act(made))
    return made
program._application = application
sys.exit(program.main(['--demo']))
"""


def test_closing_while_the_simulated_market_starts_works_at_once() -> None:
    act = "def act(application):\n    [one.close() for one in application.topLevelWidgets()]\n"
    with started(script=SILENT_SANDBOX.format(patience_s=600) + act + ONCE_SHOWN) as process:
        wait_for(lambda: psutil.Process(process.pid).children(), process)
        children = psutil.Process(process.pid).children()
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0
    assert psutil.wait_procs(children, 10)[1] == []


def test_a_signal_while_the_simulated_market_starts_works_at_once() -> None:
    act = "def act(application):\n    print('shown', flush=True)\n"
    with started(script=SILENT_SANDBOX.format(patience_s=600) + act + ONCE_SHOWN) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "shown\n"
        children = psutil.Process(process.pid).children()
        assert children
        time.sleep(2)  # until the window has nothing more to paint, and Qt alone waits
        process.terminate()
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0
    assert psutil.wait_procs(children, 10)[1] == []


@pytest.mark.parametrize("moment", [at_once, is_at_work])
def test_a_second_signal_leaves_at_once(moment: Callable[[Path], bool], data_dir: Path) -> None:
    with silent_server() as database:
        url = f"postgresql://x@{database.address}/hangs?connect_timeout=0&sslmode=disable"
        with started("--database-url", url) as process:
            wait_for(lambda: database.connections and moment(data_dir), process)
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            printed = process.communicate(timeout=5)
            assert process.returncode == 1
            assert printed[1] == "cryptopipe: Left at once, on the second signal.\n"
    assert "Left at once" in log_of(data_dir)


def test_the_window_restores_its_appearance_at_the_next_start(tmp_path: Path, qapp: QApplication) -> None:
    settings, loop = load({"data_dir": str(tmp_path)}, environment={}, file=tmp_path / "none"), asyncio.new_event_loop()
    prepare_application(qapp)  # one that is there already is taken as it is
    first = _ShownWindow(settings, None, loop.create_future())
    first.window.diagnostics.restore_layout({"plots_share": 0.25, "level": logging.WARNING, "filter": "BTC"})
    first.window.diagnostics.show()
    first.save()
    first.destroy()
    again = _ShownWindow(settings, None, loop.create_future())
    simulated = _ShownWindow(demo_settings(settings), again.state, loop.create_future())
    for shown in (again, simulated):
        looks = shown.window.diagnostics.layout_values()
        assert looks == {"plots_share": 0.25, "level": logging.WARNING, "filter": "BTC"}
        assert shown.window.diagnostics.isVisible()
        shown.destroy()
    loop.close()


def test_the_first_frame_is_painted_before_anything_else_and_no_row_moves_afterwards(
    tmp_path: Path, qapp: QApplication
) -> None:
    symbols = "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT"
    settings = load({"data_dir": str(tmp_path), "symbols": symbols}, environment={}, file=tmp_path / "none")
    loop = asyncio.new_event_loop()
    prepare_application(qapp)
    shown = _ShownWindow(settings, None, loop.create_future())
    window = shown.window
    assert shown.chart.paint_count > 0
    assert window.watchlist.names_in_view() == symbols.split(",")
    places = [(part, part.mapTo(window, part.rect().topLeft())) for part in (window.watchlist, window.quote_panel)]
    known = [Symbol(name, name[:3], "USDT") for name in symbols.split(",")]
    window.set_symbol(known[0])
    window.set_watchlist(
        [WatchRow(symbol, 61_693.94, -0.5, 61_693.9, 61_694.0, 900.0, recorded=True) for symbol in known]
    )
    window.set_quote(QuoteView(known[0], last=61_693.94, bid=61_693.9, bid_quantity=1.0, recording="Yes"))
    qapp.processEvents()
    assert places == [(part, part.mapTo(window, part.rect().topLeft())) for part, _ in places]
    shown.destroy()
    loop.close()
