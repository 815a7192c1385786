"""Work that nobody awaits: it ends with its owner, and no error of it is lost."""

from __future__ import annotations

import asyncio

import pytest

from app.concurrency.tasks import Tasks


async def test_work_goes_on_until_its_owner_ends_and_then_none_is_left() -> None:
    tasks, ended = Tasks("a test"), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # what ends in order takes its time
            ended.append("in order")

    tasks.begin(work())
    await asyncio.sleep(0)
    assert tasks
    await tasks.end()
    assert ended == ["in order"]
    assert not tasks


async def test_an_error_that_nobody_waits_for_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("a test")

    async def fail() -> None:
        raise ZeroDivisionError

    await asyncio.wait([tasks.begin(fail())])
    assert not tasks
    assert [(record.message, record.exc_info is not None) for record in caplog.records] == [
        ("a task of a test failed", True)
    ]
