"""Real processes: start, output, groups, terminals, leftovers."""

import asyncio
import os
import signal
import time

import pytest

from kaito.embedded.kubelet.processes import procfs
from kaito.embedded.kubelet.processes.leftovers import ProcessRecord, end_leftovers
from kaito.embedded.kubelet.processes.local import LocalRunner
from kaito.embedded.kubelet.processes.runner import ProcessSpec, StartFailed

PATH = "/usr/bin:/bin"


class Output:
    def __init__(self):
        self.stdout, self.stderr = bytearray(), bytearray()

    def __call__(self, stream, data):
        getattr(self, stream).extend(data)


def spec(tmp_path, *argv, **options):
    env = {"PATH": PATH, **options.pop("env", {})}
    return ProcessSpec(argv=argv, env=env, cwd=tmp_path, **options)


async def start(tmp_path, script, **options):
    output = Output()
    process = await LocalRunner().start(spec(tmp_path, "sh", "-c", script, **options), output)
    return process, output


async def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "still not true"
        await asyncio.sleep(0.01)


def is_gone(pid):
    return procfs.start_ticks(pid) is None or procfs.is_zombie(pid)


async def test_output_and_exit_code(tmp_path):
    process, output = await start(tmp_path, "pwd; echo oops >&2; exit 7")
    assert await process.wait() == 7
    assert output.stdout.decode().strip() == str(tmp_path)
    assert output.stderr == b"oops\n"
    assert await process.wait() == 7


async def test_nothing_is_inherited(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "x")
    process, output = await start(tmp_path, "env", env={"A": "1"})
    await process.wait()
    assert b"SECRET" not in output.stdout
    assert b"A=1\n" in output.stdout


async def test_a_signal_reaches_the_whole_group_and_is_told_as_128_and_its_number(tmp_path):
    process, output = await start(tmp_path, "sleep 100 & echo $!; wait")
    await until(lambda: output.stdout.endswith(b"\n"))
    process.signal(signal.SIGTERM)
    assert await process.wait() == 128 + signal.SIGTERM
    await until(lambda: is_gone(int(output.stdout)))


async def test_what_the_first_process_leaves_behind_ends_with_it_even_outside_its_session(tmp_path):
    marker = "KAITO_CONTAINER_ID=test-" + os.urandom(4).hex()
    name, value = marker.split("=")
    script = "setsid sleep 100 >/dev/null 2>&1 & sleep 0.1; ps -o pid= -C sleep >/dev/null 2>&1; exit 0"
    process, _ = await start(tmp_path, script, env={name: value}, marker=marker)
    assert await process.wait() == 0
    await until(lambda: not procfs.members(-1, marker))


async def test_input_is_written_and_ended(tmp_path):
    process, output = await start(tmp_path, "cat; echo end", stdin=True)
    process.write(b"hello\n")
    await process.drain()
    process.close_stdin()
    assert await process.wait() == 0
    assert output.stdout == b"hello\nend\n"


async def test_a_terminal_has_a_size_and_echoes(tmp_path):
    process, output = await start(tmp_path, "test -t 0 && echo tty; read x; stty size; read y", stdin=True, tty=True)
    await until(lambda: b"tty" in output.stdout)
    process.resize(100, 40)
    process.write(b"\n")
    await until(lambda: b"40 100" in output.stdout)
    process.write(b"\n")
    assert await process.wait() == 0


async def test_a_process_on_a_terminal_is_interrupted_by_its_key(tmp_path):
    process, output = await start(tmp_path, "echo up; exec sleep 100", stdin=True, tty=True)
    await until(lambda: b"up" in output.stdout)
    process.write(b"\x03")
    assert await process.wait() == 128 + signal.SIGINT


async def test_output_waits_while_it_is_paused(tmp_path):
    process, output = await start(tmp_path, "sleep 0.1; head -c 1000000 /dev/zero")
    process.pause_output()
    await asyncio.sleep(0.3)
    assert len(output.stdout) == 0
    process.resume_output()
    assert await process.wait() == 0
    assert len(output.stdout) == 1000000


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("no-such-program",), 'exec: "no-such-program": executable file not found in \\$PATH'),
        (("/no/such",), "no such file or directory"),
        (("/etc",), "is a directory"),
        (("/etc/passwd",), "permission denied"),
        ((), "no command"),
    ],
)
async def test_what_cannot_be_started_says_why(tmp_path, argv, sentence):
    with pytest.raises(StartFailed, match=sentence):
        await LocalRunner().start(spec(tmp_path, *argv), Output())


async def test_a_missing_working_directory_says_so(tmp_path):
    with pytest.raises(StartFailed, match="is not there"):
        await LocalRunner().start(spec(tmp_path / "none", "true"), Output())


async def test_leftovers_are_recognised_by_pid_and_start_time_and_ended(tmp_path):
    marker = "KAITO_CONTAINER_ID=left-" + os.urandom(4).hex()
    name, value = marker.split("=")
    process, _ = await start(tmp_path, "sleep 100", env={name: value}, marker=marker)
    record = ProcessRecord.of(process.pid, marker)
    (tmp_path / "pods" / "c").mkdir(parents=True)
    record.write(tmp_path / "pods" / "c")
    assert record.leader_is_alive()
    assert await end_leftovers(tmp_path) == 1
    assert await process.wait() == 137
    assert await end_leftovers(tmp_path) == 0


async def test_another_process_with_a_recorded_pid_is_left_alone(tmp_path):
    process, _ = await start(tmp_path, "sleep 100")
    record = ProcessRecord(process.pid, 1, procfs.boot_id(), "")
    record.write(tmp_path)
    assert not record.leader_is_alive()
    assert await end_leftovers(tmp_path) == 0
    assert not is_gone(process.pid)
    process.signal(signal.SIGKILL)
    await process.wait()


async def test_an_unreadable_record_is_removed(tmp_path):
    (tmp_path / "process.json").write_text("{")
    assert await end_leftovers(tmp_path) == 0
    assert not (tmp_path / "process.json").exists()


async def test_memory_of_a_process_is_known(tmp_path):
    assert procfs.resident_bytes(os.getpid()) > 1_000_000
    assert procfs.resident_bytes(2**30) == 0
