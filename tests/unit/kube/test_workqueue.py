"""The work queue de-duplicates, never runs a key twice at once, and backs off by key."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from kaito.kube.clock import VirtualClock
from kaito.kube.workqueue import WorkQueue


async def test_a_key_added_twice_while_waiting_is_handed_out_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_key_added_while_being_worked_on_runs_again_afterwards_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_the_shortest_of_several_delays_holds_and_fires_once() -> None:
    clock = VirtualClock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    timers = asyncio.create_task(queue.run_timers())
    queue.add_after("a", 10)
    queue.add_after("a", 2)
    queue.add_after("a", 5)
    await clock.advance(1.9)
    assert len(queue) == 0
    await clock.advance(0.2)
    assert len(queue) == 1
    queue.done(await queue.get())
    await clock.advance(20)
    assert len(queue) == 0
    timers.cancel()


async def test_failures_double_the_delay_up_to_the_limit_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=VirtualClock(), base_delay=1, max_delay=8)
    assert [queue.add_rate_limited("a") for _ in range(5)] == [1, 2, 4, 8, 8]
    assert queue.add_rate_limited("b") == 1
    queue.forget("a")
    assert queue.add_rate_limited("a") == 1


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc")), max_size=60))
async def test_no_key_is_lost_or_worked_on_twice_at_once(operations: list[tuple[str, str]]) -> None:
    queue: WorkQueue[str] = WorkQueue()
    active: set[str] = set()
    owed: set[str] = set()
    for operation, key in operations:
        if operation == "add":
            queue.add(key)
            owed.add(key)
        elif operation == "get" and len(queue):
            got = await queue.get()
            assert got not in active
            active.add(got)
            owed.discard(got)
        elif operation == "done" and key in active:
            active.discard(key)
            queue.done(key)
    for key in active:
        queue.done(key)
    drained = set()
    while len(queue):
        got = await queue.get()
        drained.add(got)
        queue.done(got)
    assert drained == owed
