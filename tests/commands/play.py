"""The command ``cryptopipe import`` on a database of its own, and the files to give it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.main import main
from app.market.trade import Trade
from app.market.units import format_e8
from tests.storage.helpers import World, some_trades

TRADES = [trade._replace(time_us=trade.time_us // 1000 * 1000) for trade in some_trades(500)]


class Play(NamedTuple):
    world: World
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """Return the exit code, standard output and standard error of the command."""
        code = main(["import", *map(str, arguments)])
        return code, *self.capsys.readouterr()

    def report(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        code, printed, _ = self.run(*arguments, "--json")
        return code, json.loads(printed)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def archive(self, name: str, trades: list[Trade]) -> Path:
        path = self.folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"{name}.csv", "".join(map(line, trades)))
        return path


def line(trade: Trade) -> str:
    """Return a trade as a row of the exchange's archive."""
    _, trade_id, time_us, price, quantity, maker = trade
    return f"{trade_id},{format_e8(price)},{format_e8(quantity)},0,{time_us // 1000},{maker},True\n"
