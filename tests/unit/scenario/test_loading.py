"""A mistake in a scenario file is one sentence with file and line; a good file is read whole before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.scenario.loading import ScenarioFileError, load_scenario, read_manifests
from kaito.scenario.schema import parse_duration

GOOD = """\
apiVersion: testbed.kaito.sh/v1alpha1
kind: Scenario
metadata:
  name: good
spec:
  timeout: 1m30s
  mirrors:
    urls:
      https://example.com/data.parquet: data.parquet
  steps:
    - apply: manifest.yaml
    - wait: {object: workspace/w, condition: WorkspaceReady, timeout: 5}
    - ask: {service: w, facts: facts.yaml, expect: exact}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.parquet").write_bytes(b"x")
    (tmp_path / "manifest.yaml").write_text("{apiVersion: kaito.sh/v1beta1, kind: Workspace, metadata: {name: w}}\n")
    (tmp_path / "facts.yaml").write_text("- {prompt: p, answer: a}\n")
    return tmp_path


def load(folder: Path, text: str) -> None:
    (folder / "scenario.yaml").write_text(text)
    load_scenario(folder / "scenario.yaml")


def test_a_good_file_is_read_with_everything_it_names(folder: Path) -> None:
    (folder / "scenario.yaml").write_text(GOOD)
    loaded = load_scenario(folder / "scenario.yaml")
    assert loaded.scenario.spec.timeout == 90
    assert loaded.mirrors.urls["https://example.com/data.parquet"] == str(folder / "data.parquet")
    assert loaded.manifests["manifest.yaml"][0]["kind"] == "Workspace"
    assert loaded.facts["facts.yaml"][0].prompt == "p"
    assert [step.operation[0] for step in loaded.scenario.spec.steps] == ["apply", "wait", "ask"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("  steps:", "  stepps:", 10, ("spec.stepps", "did you mean steps?")),
        ("  name: good", "  name: Not A Name", 4, ("metadata.name",)),
        ("    - apply: manifest.yaml", "    - apply: missing.yaml", 11, ("missing.yaml", "does not exist")),
        (
            "    - apply: manifest.yaml",
            "    - apply: manifest.yaml\n      delete: manifest.yaml",
            11,
            ("apply and delete",),
        ),
        ("    - apply: manifest.yaml", "    - {}", 11, ("found none",)),
        ("timeout: 5}", "timeout: soon}", 12, ("'soon' is not a duration",)),
        ("object: workspace/w", "object: w", 12, ("kind/name",)),
        ("expect: exact", "expect: maybe", 13, ("spec.steps.2.ask.expect",)),
        ("facts: facts.yaml", "facts: nowhere.yaml", 13, ("nowhere.yaml",)),
        (": data.parquet", ": gone.parquet", 9, ("gone.parquet", "does not exist")),
        ("https://example.com/data.parquet", "ftp://example.com/data.parquet", 8, ("not an http or https URL",)),
        ("kind: Scenario", "kind: Scenery", 2, ("kind",)),
        ("  timeout: 1m30s", "  timeout: [", 8, ("not YAML",)),
        ("  timeout: 1m30s", "  timeout: 1m\n  timeout: 2m", 7, ("timeout is here a second time", "line 6")),
        ("apply: manifest.yaml", "apply: .", 11, ("is a folder",)),
        ("apply: manifest.yaml", "apply: 5", 11, ("must be text",)),
        ("object: workspace/w", "object: wurkspace/w", 12, ("'wurkspace' is not a kind",)),
        ("apply: manifest.yaml", "assert: {that: ['a[']}", 11, ("not a JMESPath expression",)),
        ("apply: manifest.yaml", "fault: {kill: x}", 11, ("kill: label=value",)),
        ("apply: manifest.yaml", "fault: {registry: up, after_event: x}", 11, ("after_event belongs to kill",)),
        ("apply: manifest.yaml", "apply: [a, b]", 11, ("steps.0.apply: must be text",)),
        ("apply: manifest.yaml", "apply: /dev/null", 11, ("neither a file nor a folder",)),
        ("apply: manifest.yaml", "assert: {that: []}", 11, ("must hold at least one entry",)),
        ("object: workspace/w", "object: workspace/w/x", 12, ("'w/x' is no object's name",)),
        ("object: workspace/w", "object: {kind: wurkspace, name: w}", 12, ("'wurkspace' is not a kind",)),
        ("object: workspace/w", "object: workspace/ww", 12, ("no step before this one makes", "did you mean w?")),
        ("service: w", "service: v", 13, ("spec.steps.2.ask.service: no step before this one makes a service v",)),
        ("service: w", "service: ''", 13, ("'' is no object's name",)),
        ("apply: manifest.yaml", "delete: manifest.yaml", 12, ("no step before this one makes a workspace w",)),
        ("WorkspaceReady", "WorkspaceReady=Maybe", 12, ("'WorkspaceReady=Maybe' is no condition",)),
        ("https://example.com/data.parquet", "https://example.com/", 9, ("is a file; leave out the slash",)),
        ("https://example.com/data.parquet", "http://[x/a", 8, ("'http://[x/a' is not an http or https URL",)),
    ],
)
def test_each_mistake_names_file_line_and_place(
    folder: Path, old: str, new: str, line: int, words: tuple[str, ...]
) -> None:
    assert old in GOOD
    with pytest.raises(ScenarioFileError) as raised:
        load(folder, GOOD.replace(old, new, 1))
    message = str(raised.value)
    assert message.startswith(f"{folder / 'scenario.yaml'}:{line}"), message
    assert "\n" not in message.strip()
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "text", ["", "[]", "just text", "a: &x [*x]", "\0", "a: .inf", "a: !!int x", "? [a]\n: b", "[" * 5000, "---\n---\n"]
)
def test_what_is_no_scenario_at_all_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(ScenarioFileError, match=r"scenario\.yaml"):
        load(folder, text)


def test_after_an_inference_set_any_workspace_may_be_named(folder: Path) -> None:
    (folder / "manifest.yaml").write_text("{apiVersion: kaito.sh/v1alpha1, kind: InferenceSet, metadata: {name: s}}")
    load(folder, GOOD)


def test_aliases_that_stand_for_more_than_memory_holds_are_refused(folder: Path) -> None:
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20))]
    with pytest.raises(ScenarioFileError, match="more than 1,000,000 values"):
        load(folder, "\n".join(lines))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFileError, match="there is no such file"):
        load_scenario(tmp_path / "none.yaml")
    with pytest.raises(ScenarioFileError, match="cannot be read"):
        load_scenario(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{apiVersion: v1}", "no apiVersion and kind"),
        ("{apiVersion: v1, kind: Pod}", "no metadata.name"),
        ("{apiVersion: v1, kind: Pod, metadata: x}", "no metadata.name"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: 5}}", "no metadata.name"),
        ("{apiVersion: 1, kind: Pod, metadata: {name: a}}", "no apiVersion and kind"),
        ("{apiVersion: v1, kind: List, items: 5}", "are no list"),
        ("---\n\n---\na: 1\na: 2", ":5: the key a is here a second time"),
        ("---\n---\n", "there is no object"),
        ("a: [", "not YAML"),
    ],
)
def test_a_manifest_that_holds_no_object_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ScenarioFileError, match=words):
        read_manifests(tmp_path / "m.yaml")


def test_a_date_in_a_manifest_is_text_as_for_kubernetes(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {day: 2026-01-31}}")
    assert read_manifests(tmp_path / "m.yaml")[0]["data"] == {"day": "2026-01-31"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no fact"),
        ("prompt: x", "there is no fact"),
        ("- {prompt: x, answer: 42}", r"facts\.yaml:1: 0\.answer: must be text"),
        ("- {prompt: x, answer: y}\n- {prompt: x, answr: y}", r"facts\.yaml:2: 1\.answr: .* did you mean answer"),
        ("- x", "must be a mapping"),
    ],
)
def test_a_mistake_in_the_facts_is_named_in_their_file(folder: Path, text: str, words: str) -> None:
    (folder / "facts.yaml").write_text(text)
    with pytest.raises(ScenarioFileError, match=words):
        load(folder, GOOD)


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"a: b\nc: \xff\xfe")
    with pytest.raises(ScenarioFileError, match=r"m\.yaml:2: .*not UTF-8"):
        read_manifests(tmp_path / "m.yaml")


@given(st.integers(0, 50), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s"
    total = hours * 3600 + minutes * 60 + seconds
    if total:
        assert parse_duration(text) == total
    else:
        with pytest.raises(ValueError, match="longer than zero"):
            parse_duration(text)
