"""Cluster folders, mirror maps and kubeconfigs keep what they are given and give nothing away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from kaito.cluster.base import ClusterError, ClusterOptions
from kaito.cluster.binaries import end_recorded
from kaito.cluster.daemon import clear_abandoned, start_daemon
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.kubeconfigs import merge_kubeconfig
from kaito.cluster.locking import hold
from kaito.cluster.mirrors import MirrorMap, MirrorTargetError, model_mirrors
from kaito.cluster.stand_ins import building_progress
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig


@pytest.mark.parametrize("name", ["", "..", "a/b", "UPPER", "-a", "a" * 33, "a b"])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a cluster name"):
        ClusterFolder.named(name)


def test_a_relative_state_home_means_the_same_for_the_background_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert ClusterFolder.named("a").kubeconfig == Path.cwd() / "state/kaito/clusters/a/kubeconfig"


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = ClusterFolder(tmp_path / "c")
    folder.create()
    secrets = folder.secrets()
    assert folder.secrets() == secrets
    assert len(set(secrets.values())) == len(secrets)
    for path in [tmp_path / "c", *(tmp_path / "c").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_settings_are_remembered_together(tmp_path: Path) -> None:
    folder = ClusterFolder(tmp_path)
    folder.remember(api_port=1)
    folder.remember(registry_port=2)
    folder.remember(api_port=3)
    assert folder.settings() == {"api_port": 3, "registry_port": 2}


def test_a_cluster_is_not_started_as_another_tier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = ClusterFolder.named("mine")
    folder.create()
    folder.database.touch()
    with pytest.raises(ClusterError, match="was made with --cluster embedded"):
        start_daemon("mine", "envtest", ClusterOptions(), print)


def test_a_start_that_failed_before_there_was_any_state_decides_no_tier(tmp_path: Path) -> None:
    folder = ClusterFolder(tmp_path)
    folder.remember(api_port=1)
    assert folder.tier is None
    folder.etcd.mkdir()
    assert folder.tier == "envtest"


@pytest.mark.parametrize("text", ["", "[", "5", "\0"])
def test_a_file_that_a_full_disk_cut_short_is_named(tmp_path: Path, text: str) -> None:
    folder = ClusterFolder(tmp_path)
    for name, read in (("settings.json", folder.settings), ("secrets.json", folder.secrets)):
        (tmp_path / name).write_text(text)
        with pytest.raises(ClusterError, match=rf"{name} is damaged; delete it"):
            read()
    (tmp_path / "processes.json").write_text(text)
    end_recorded(tmp_path)
    assert not (tmp_path / "processes.json").exists()


def test_relative_mirrors_are_found_beside_their_file_and_missing_ones_named(tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(b"x")
    mirrors = MirrorMap(urls={"https://a.example/d": "d.parquet", "https://b.example/": "tiny:phi3"})
    resolved = mirrors.resolved(tmp_path)
    assert resolved.urls == {"https://a.example/d": str(tmp_path / "d.parquet"), "https://b.example/": "tiny:phi3"}
    with pytest.raises(MirrorTargetError, match="the mirror of https://a"):
        MirrorMap(urls={"https://a.example/x": "gone"}).resolved(tmp_path)
    for url, target in (("https://a.example/x", "."), ("https://a.example/x/", "d.parquet")):
        with pytest.raises(MirrorTargetError, match=rf"the mirror of {url}, is a f.*slash"):
            MirrorMap(urls={url: target}).resolved(tmp_path)


def test_a_merged_map_prefers_the_added_one_and_survives_its_yaml() -> None:
    first = MirrorMap(urls={"https://a.example/": "/1", "https://b.example/": "/2"}, registries={"*": "http://x"})
    merged = first.merged_with(MirrorMap(urls={"https://a.example/": "/3"}))
    assert merged.urls == {"https://a.example/": "/3", "https://b.example/": "/2"}
    assert MirrorMap.model_validate(yaml.safe_load(merged.to_yaml())) == merged


@pytest.mark.parametrize("bad", [{"urls": {"file:///etc": "/x"}}, {"registries": {"a": "x"}}, {"unknown": {}}])
def test_a_map_that_cannot_be_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MirrorMap.model_validate(bad)


def test_a_model_that_is_being_built_shows_from_its_first_line_on() -> None:
    start = "time=t level=info event=model-building architecture=phi3 seed=0"
    assert building_progress(start, "phi3") == "building the tiny phi3 model, once on this machine"
    step = "time=t level=info event=model-building step=50 steps=400 loss=2.2"
    assert building_progress(step, "phi3") == "building the tiny phi3 model: step 50 of 400"
    assert building_progress("event=model-built", "phi3") is None
    assert building_progress("a warning", "phi3") is None


def test_models_are_mirrored_by_their_hub_address() -> None:
    assert model_mirrors([("microsoft/phi", "phi3")]) == {"https://huggingface.co/microsoft/phi/": "tiny:phi3"}


def test_merging_a_kubeconfig_keeps_the_other_clusters(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "ours", "https://127.0.0.1:1", b"CA", "token")
    target = tmp_path / "config"
    target.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
                "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
                "users": [{"name": "me", "user": {"token": "t"}}],
                "current-context": "work",
            }
        )
    )
    for _ in range(2):
        merge_kubeconfig(tmp_path / "ours", into=target, name="kaito-default")
    merged = yaml.safe_load(target.read_text())
    assert [entry["name"] for entry in merged["clusters"]] == ["work", "kaito-default"]
    assert [entry["name"] for entry in merged["contexts"]] == ["work", "kaito-default"]
    assert merged["current-context"] == "kaito-default"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_kubeconfig_that_is_a_link_stays_one(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "ours", "https://127.0.0.1:1", b"CA", "token")
    (tmp_path / "link").symlink_to("config")
    merge_kubeconfig(tmp_path / "ours", into=tmp_path / "link", name="x")
    assert (tmp_path / "link").is_symlink()
    assert yaml.safe_load((tmp_path / "config").read_text())["current-context"] == "x"


def test_a_device_or_a_pipe_is_not_replaced_by_a_kubeconfig(tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "ours", "https://127.0.0.1:1", b"CA", "token")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is no regular file"):
        merge_kubeconfig(tmp_path / "ours", into=tmp_path / "pipe", name="x")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("text", ["[]", "kind: Pod", "a: [", "users: 5", "contexts: [a]"])
def test_a_file_that_is_no_kubeconfig_is_left_alone(tmp_path: Path, text: str) -> None:
    write_kubeconfig(tmp_path / "ours", "https://127.0.0.1:1", b"CA", "token")
    target = tmp_path / "other"
    target.write_text(text)
    with pytest.raises(ValueError, match="other"):
        merge_kubeconfig(tmp_path / "ours", into=target, name="x")
    assert target.read_text() == text


def test_a_killed_runs_folder_is_cleared_away_and_a_running_ones_is_not(tmp_path: Path) -> None:
    killed, running, young, strange = (ClusterFolder(tmp_path / name) for name in ("k", "r", "y", "s"))
    for folder in (killed, running, young):
        with hold(folder):
            pass
    strange.create()
    with hold(running):
        for folder in (killed, running):
            os.utime(folder.lock, (0, 0))
        clear_abandoned(folder.root for folder in (killed, running, young, strange))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r", "s", "y"]
