import json
import os
from pathlib import Path

import pytest
from kaito_runtime import sentinels
from kaito_runtime.errors import BadData, Refused, TemporaryFailure
from kaito_runtime.images.waiting import Watch


class Time:
    """A clock that moves only while somebody sleeps, and lets things happen then."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.events: list[tuple[float, object]] = []

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for event in list(self.events):
            if event[0] <= self.seconds:
                self.events.remove(event)
                event[1]()  # type: ignore[operator]

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


def watch(folder: Path, time: Time) -> Watch:
    return Watch(folder, poll=0.5, grace=5, sleep=time.sleep, now=time.now)


def test_a_finished_tuning_ends_the_wait(tmp_path: Path, time: Time) -> None:
    time.events.append((3, lambda: sentinels.report_completed(tmp_path)))
    watch(tmp_path, time).until_tuned()
    assert time.seconds == 3
    assert (tmp_path / sentinels.COMPLETED).read_text().startswith("Fine-Tuning completed at 20")


@pytest.mark.parametrize(("permanent", "error"), [(True, BadData), (False, TemporaryFailure)])
def test_a_failed_tuning_ends_it_with_its_reason(
    tmp_path: Path, time: Time, permanent: bool, error: type[Exception]
) -> None:
    sentinels.report_failed(tmp_path, reason="BadData", message="row 3 is empty", permanent=permanent)
    with pytest.raises(error, match="tuning failed: row 3 is empty"):
        watch(tmp_path, time).until_tuned()


def test_a_tuner_that_died_without_a_word_is_noticed(tmp_path: Path, time: Time) -> None:
    with sentinels.tuning_lock(tmp_path):
        pass
    with pytest.raises(TemporaryFailure, match="ended without a result"):
        watch(tmp_path, time).until_tuned()
    assert time.seconds == 5


def test_a_tuner_that_lives_is_waited_for(tmp_path: Path, time: Time) -> None:
    with sentinels.tuning_lock(tmp_path):
        time.events.append((60, lambda: sentinels.report_completed(tmp_path)))
        watch(tmp_path, time).until_tuned()
        with pytest.raises(TemporaryFailure, match="another tuning process"), sentinels.tuning_lock(tmp_path):
            pass
    assert time.seconds == 60


def test_the_pause_ends_with_the_pusher(tmp_path: Path, time: Time) -> None:
    time.events.append((1, lambda: (tmp_path / sentinels.PUSHED).write_text(json.dumps({}))))
    assert watch(tmp_path, time).until_pushed() is True
    (tmp_path / sentinels.PUSHED).unlink()
    (tmp_path / sentinels.PUSH_FAILED).write_text("x")
    assert watch(tmp_path, time).until_pushed() is False


def test_a_new_run_removes_what_the_last_one_said(tmp_path: Path) -> None:
    sentinels.report_completed(tmp_path)
    sentinels.report_failed(tmp_path, reason="r", message="m", permanent=False)
    sentinels.report_push_failed(tmp_path, Refused("401"))
    sentinels.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [sentinels.PUSH_FAILED]
    assert sentinels.push_refused(tmp_path) == "401"
    os.utime(tmp_path / sentinels.PUSH_FAILED, (0, 0))
    sentinels.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert sentinels.push_refused(tmp_path) is None


def test_messages_name_the_containers_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAITO_CONTAINER_ROOT", str(tmp_path))
    sentinels.report_push_failed(tmp_path, Refused(f"as in {tmp_path}/root/.docker/config.json"))
    assert sentinels.push_refused(tmp_path) == "as in /root/.docker/config.json"
