"""Whatever a database does, in any order, and however often the program is killed: every trade is stored in the end."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import examples
from tests.live.helpers import SYMBOL, trade, until
from tests.live.outbox.helpers import AWAY, Ledger, Run, ShakyWriter


@settings(max_examples=examples(30))
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from("ppppp away back hang full commit kill new none".split()), max_size=40),
)
def test_whatever_the_writer_does_every_trade_is_stored_in_the_end_and_in_order(seed: int, steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), random.Random(seed), steps))


async def _play(folder: Path, chance: random.Random, steps: list[str]) -> None:
    """Play ``steps`` with a market of two symbols and a writer; end with the database back."""
    ledger, next_id = Ledger(), {SYMBOL: 1, "ETHUSDT": 1}
    run, writer = Run(folder), ShakyWriter(ledger)
    run.box.attach(writer)

    async def put(count: int) -> None:
        for _ in range(count):
            symbol = chance.choice(list(next_id))
            await run.put([trade(next_id[symbol], seconds=0, symbol=symbol)])
            next_id[symbol] += 1

    for step in steps:
        match step:
            case "away":
                writer.reason = AWAY
            case "hang":
                writer.hangs = True
            case "back":
                writer.reason, writer.hangs, writer.limit = "", False, 10_000
            case "full":
                writer.limit = 50
            case "commit":
                writer.commit(chance.randrange(100))
            case "none":
                run.box.attach(None)
                run.box.put_first(writer.unwritten())
                writer = ShakyWriter(ledger)
            case "new":
                if run.box.writer is not writer:
                    run.box.attach(writer)
            case "kill":
                # A kill may lose trades that are only in memory: so wait until there are none.
                writer.commit()
                run.box.release()
                if writer.queue or run.box.waiting:
                    writer.reason = writer.reason or AWAY
                    await _all_on_disk(run, writer)
                await run.kill()
                run, writer = Run(folder), ShakyWriter(ledger)
                run.box.attach(writer)
            case _:
                await put(chance.randrange(1_000))
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
    writer.reason, writer.hangs, writer.limit = "", False, 10_000
    if run.box.writer is not writer:
        run.box.attach(writer)
    await run.is_straight()
    writer.commit()
    await run.box.finish()
    assert run.lost == []
    for symbol, end in next_id.items():
        assert ledger.ids(symbol) == list(range(1, end))


async def _all_on_disk(run: Run, writer: ShakyWriter) -> None:
    def is_safe() -> bool:
        return not run.box.waiting and all(one.trade_id in run.box.spooled(one.symbol) for one in writer.queue)

    await until(is_safe, "all to be on disk")
