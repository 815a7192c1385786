"""Tasks that nobody awaits: they end with their owner, and their errors are logged."""

from __future__ import annotations

import asyncio

import pytest

from app.concurrency.tasks import Tasks


async def test_tasks_run_until_their_owner_ends_them() -> None:
    tasks, ended = Tasks("a test"), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # a cancelled task may take a while to clean up
            ended.append("in order")

    tasks.begin(work())
    await asyncio.sleep(0)
    assert tasks
    await tasks.end()
    assert ended == ["in order"]
    assert not tasks


async def test_the_error_of_a_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("a test")

    async def fail() -> None:
        raise ZeroDivisionError

    await asyncio.wait([tasks.begin(fail())])
    assert not tasks
    assert [(record.message, record.exc_info is not None) for record in caplog.records] == [
        ("a task of a test failed", True)
    ]
