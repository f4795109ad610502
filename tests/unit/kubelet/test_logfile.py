"""Container logs: what is stored, and what readers get."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.kubelet.logfile import (
    PARTIAL_BYTES,
    ContainerLog,
    LogOptions,
    last_lines,
    read_log,
    stored_output,
)
from kaito.kube.clock import VirtualClock


async def content(log: ContainerLog, **options) -> bytes:
    return b"".join([chunk async for chunk in read_log(log.path, LogOptions(**options))])


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def log(tmp_path, clock):
    log = ContainerLog(tmp_path / "x" / "output.log", clock)
    yield log
    log.close()


async def test_lines_come_back_as_they_were_written(log):
    log.write("stdout", b"one\ntwo\nthr")
    log.write("stdout", b"ee\n")
    assert await content(log) == b"one\ntwo\nthree\n"


async def test_the_stored_form_is_that_of_container_runtimes(log):
    log.write("stderr", b"oops\n")
    assert log.path.read_text() == "2026-01-01T00:00:00.000000000Z stderr F oops\n"


async def test_an_unfinished_line_is_stored_when_the_container_ends(log):
    log.write("stdout", b"no end")
    assert await content(log) == b""
    log.close()
    assert await content(log) == b"no end"


async def test_a_tail_counts_lines_of_the_container(log):
    for number in range(5000):
        log.write("stdout", f"line {number}\n".encode())
    assert await content(log, tail_lines=2) == b"line 4998\nline 4999\n"
    assert await content(log, tail_lines=0) == b""
    assert (await content(log, tail_lines=4999)).startswith(b"line 1\n")
    assert (await content(log, tail_lines=9999)).startswith(b"line 0\n")


async def test_pieces_of_a_long_line_are_one_line(log):
    log.write("stdout", b"first\n" + b"x" * (3 * PARTIAL_BYTES) + b"\nlast\n")
    assert await content(log, tail_lines=2) == b"x" * (3 * PARTIAL_BYTES) + b"\nlast\n"


async def test_since_leaves_older_lines_out(log, clock):
    log.write("stdout", b"old\n")
    await clock.advance(60)
    log.write("stdout", b"new\n")
    assert await content(log, since=clock.now() - timedelta(seconds=30)) == b"new\n"


async def test_timestamps_and_a_byte_limit(log):
    log.write("stdout", b"hello\n")
    assert await content(log, timestamps=True) == b"2026-01-01T00:00:00.000000000Z hello\n"
    assert await content(log, limit_bytes=3) == b"hel"


async def test_a_follower_gets_what_is_written_until_the_container_ends(log):
    log.write("stdout", b"before\n")
    got: list[bytes] = []

    async def follow():
        async for chunk in read_log(log.path, LogOptions(follow=True), log):
            got.append(chunk)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    log.write("stdout", b"while\n")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert b"".join(got) == b"before\nwhile\n"
    log.write("stdout", b"at the end")
    log.close()
    await task
    assert b"".join(got) == b"before\nwhile\nat the end"


async def test_a_log_that_is_not_there_is_an_empty_one(tmp_path):
    assert [chunk async for chunk in read_log(tmp_path / "none", LogOptions(follow=True))] == []


def test_the_last_lines_are_cut_to_the_limit_from_the_front(log):
    log.write("stderr", b"".join(b"%04d\n" % number for number in range(1000)))
    assert last_lines(log.path, lines=2) == "0998\n0999\n"
    assert last_lines(log.path, lines=1000, limit=7).endswith("0999\n")
    assert len(last_lines(log.path, lines=1000, limit=7)) == 7


def test_stored_output_keeps_streams_apart_and_has_the_unfinished_line(log):
    log.write("stdout", b"a\n")
    log.write("stderr", b"b\n")
    log.write("stdout", b"c")
    assert stored_output(log, 1000) == [("stdout", b"a\n"), ("stderr", b"b\n"), ("stdout", b"c")]


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_whatever_is_written_is_read(tmp_path_factory, writes):
    log = ContainerLog(tmp_path_factory.mktemp("log") / "l", VirtualClock())
    for data in writes:
        log.write("stdout", data)
    log.close()
    assert asyncio.run(content(log)) == b"".join(writes)


async def test_a_long_log_is_moved_aside_and_its_followers_miss_nothing(tmp_path, clock):
    log = ContainerLog(tmp_path / "output.log", clock, limit=400)
    got: list[bytes] = []

    async def follow():
        async for chunk in read_log(log.path, LogOptions(follow=True), log):
            got.append(chunk)

    task = asyncio.create_task(follow())
    for number in range(50):
        log.write("stdout", b"line %d\n" % number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    log.close()
    await task
    assert b"".join(got) == b"".join(b"line %d\n" % number for number in range(50))
    assert log.rotations > 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["output.log", "output.log.1"]
    assert log.path.stat().st_size <= 400
    assert (await content(log)).endswith(b"line 49\n")
