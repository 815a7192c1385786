"""The switch in the menu: serves the window's data while it runs, says where, and is remembered."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication

from app.config.settings import load
from app.sandbox.market.simulated import SimulatedMarket
from app.window.serving_controller import is_served
from app.window.state.window_state import load_state, save_state
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.keyrings import MemoryKeyring, using
from tests.program import free_port
from tests.sandbox.helpers import serving
from widgets.window.bars.notice_bar import NoticeAction


def switch_and_address(running: Running) -> tuple[QAction, QAction]:
    """The menu's switch, and the entry that copies the address."""
    actions = running.window.top_bar.menu.actions()
    at = next(at for at, action in enumerate(actions) if action.text() == "Serve data to other programs")
    return actions[at], actions[at + 1]


async def status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


def test_the_switch_serves_and_says_where_until_it_is_turned_off(
    qapp: QApplication, data_dir: Path, tables_url: str
) -> None:
    data_dir.mkdir()

    async def work() -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            port, metrics_port = free_port(), free_port()
            addresses = server.ws_url, server.rest_url
            # Where the file has the port and the user turned the switch off, the window starts without a server.
            settings = replace(
                settings_in(
                    data_dir,
                    *addresses,
                    symbols="BTCUSDT",
                    serve_port=port,
                    metrics_port=metrics_port,
                    database_url=tables_url,
                ),
                origins={},
            )
            before = load_state(settings)
            before.serves = False
            save_state(before, data_dir)
            url = f"http://127.0.0.1:{port}"
            async with open_window(settings) as running:
                switch, address = switch_and_address(running)
                note, toasts = running.window.diagnostics.note, running.window.toasts
                running.window.toggle_diagnostics()
                assert (switch.isChecked(), address.isVisible()) == (False, False)
                assert note.text().startswith("Metrics for Prometheus at")
                with pytest.raises(aiohttp.ClientConnectorError):
                    await status(f"{url}/metrics")
                switch.trigger()
                await until(address.isVisible)
                assert switch.isChecked()
                assert toasts.shown[-1].accessibleName() == f"Other programs can read at {url}."
                assert await status(f"{url}/metrics") == 200
                assert await status(f"http://127.0.0.1:{metrics_port}/metrics") == 200
                await until(lambda: note.text() == f"Server: 0 clients, 2 requests at {url}")
                for copy in (address.trigger, note.clicked.emit):
                    QApplication.clipboard().setText("")
                    copy()
                    assert QApplication.clipboard().text() == url
                switch.trigger()
                await until(lambda: toasts.shown[-1].accessibleName() == "The data is no longer served.")
                assert not switch.isChecked()
                assert not address.isVisible()
                assert await status(f"http://127.0.0.1:{metrics_port}/metrics") == 200
                with socket.create_server(("127.0.0.1", port)):
                    switch.trigger()
                    bar = running.window.notice_bar
                    await until(lambda: f"at 127.0.0.1, port {port} (it is in use)" in bar.text.text())
                    assert bar.isVisible()
                    assert not switch.isChecked()
                    await until(lambda: note.text() == bar.text.text())
                    assert bar.buttons[NoticeAction.DISMISS].updatesEnabled()  # else it is there, unpainted
                    bar.buttons[NoticeAction.DISMISS].click()
                    assert not bar.isVisible()
                    assert await status(f"http://127.0.0.1:{metrics_port}/metrics") == 200
                switch.trigger()
                await until(switch.isChecked)
                await until(address.isVisible)

    with using(MemoryKeyring()):
        run_on_qt_loop(work)


def test_the_switch_counts_until_the_port_is_set_for_one_run(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"

    def serves(*, left: bool | None, environment: dict[str, str] | None = None) -> bool:
        settings = load({"data_dir": str(tmp_path)}, environment=environment or {}, file=file)
        state = load_state(settings)
        state.serves = left
        save_state(state, tmp_path)
        assert load_state(settings).serves is left
        return is_served(settings, load_state(settings))

    assert not serves(left=None)
    assert serves(left=True)
    assert serves(left=False, environment={"CRYPTOPIPE_SERVE_PORT": "9000"})
    assert not serves(left=True, environment={"CRYPTOPIPE_SERVE_PORT": "0"})
    file.write_text("serve_port = 9000\n")
    assert serves(left=None)
    assert not serves(left=False)
