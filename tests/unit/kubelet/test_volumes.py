"""Volumes as folders and symlinks, and nothing that escapes."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.kubelet.fields import PodFacts
from kaito.embedded.kubelet.layout import PathEscapes, PodLayout, confined, remove_tree, resolved_beneath
from kaito.embedded.kubelet.variables import BadConfiguration
from kaito.embedded.kubelet.volumes.mounting import build_tree
from kaito.embedded.kubelet.volumes.projection import BadPayload, ProjectedFile, check_path, write_payload
from kaito.embedded.kubelet.volumes.sources import MountFailed, PodVolumes
from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.kube.resources import CONFIG_MAPS, SECRETS

NOW = VirtualClock().now()


@given(st.text(alphabet="./ab", max_size=20))
def test_a_joined_path_stays_beneath_its_root(text):
    root = Path("/r")
    try:
        joined = confined(root, text)
    except PathEscapes:
        assert ".." in text.split("/")
        return
    assert os.path.normpath(joined).startswith("/r")


def test_a_symlink_that_leads_out_is_refused(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "out").symlink_to(tmp_path)
    with pytest.raises(PathEscapes, match="leads out"):
        resolved_beneath(tmp_path / "v", "out/x")
    assert resolved_beneath(tmp_path / "v", "in/x") == tmp_path / "v" / "in" / "x"


def test_removing_a_tree_never_follows_symlinks(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "f").touch()
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "link").symlink_to(tmp_path / "precious")
    remove_tree(tmp_path / "t")
    assert (tmp_path / "precious" / "f").exists()
    assert not (tmp_path / "t").exists()


def test_a_payload_is_shown_through_one_symlink_and_swapped_whole(tmp_path):
    folder = tmp_path / "v"
    assert write_payload(folder, {"a": ProjectedFile(b"1"), "d/e": ProjectedFile(b"2", 0o600)}, now=NOW)
    assert (folder / "a").read_bytes() == b"1"
    assert os.readlink(folder / "a") == "..data/a"
    assert (folder / "d" / "e").stat().st_mode & 0o777 == 0o600
    first = os.readlink(folder / "..data")
    assert not write_payload(folder, {"a": ProjectedFile(b"1"), "d/e": ProjectedFile(b"2", 0o600)}, now=NOW)
    assert write_payload(folder, {"a": ProjectedFile(b"new")}, now=NOW)
    assert (folder / "a").read_bytes() == b"new"
    assert not (folder / "d").exists()
    assert not (folder / first).exists()


@pytest.mark.parametrize("path", ["/a", "../a", "a/../b", "..a", ""])
def test_file_names_that_climb_out_are_refused(path):
    with pytest.raises(BadPayload):
        check_path(path)


class World:
    def __init__(self, root):
        self.client = FakeClient()
        self.clock = VirtualClock()
        self.volumes = PodVolumes(self.client, self.clock, PodLayout(root), self.lookup)

    async def lookup(self, kind, name):
        return await self.client.get(CONFIG_MAPS if kind == "configmap" else SECRETS, name, "ns")

    def seed(self, kind, name, **content):
        return self.client.seed(
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "ns"}, **content}
        )

    @staticmethod
    def facts(*volumes):
        pod = {
            "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c"}], "volumes": list(volumes)},
        }
        return PodFacts(pod, "10.244.0.2", {})

    async def mount(self, *volumes):
        await self.volumes.mount(self.facts(*volumes))
        return self.volumes.folders


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "pod")


async def test_an_empty_dir_is_a_folder_of_the_pod(world, tmp_path):
    folders = await world.mount({"name": "e", "emptyDir": {"medium": "Memory"}}, {"name": "f"})
    assert folders["e"] == tmp_path / "pod" / "volumes" / "e"
    assert folders["f"].is_dir()


async def test_config_maps_and_secrets_with_items_and_modes(world):
    world.seed("ConfigMap", "cfg", data={"a": "1", "b": "2"}, binaryData={"c": "AAE="})
    world.seed("Secret", "sec", data={"k": "eA=="})
    folders = await world.mount(
        {"name": "all", "configMap": {"name": "cfg"}},
        {"name": "one", "configMap": {"name": "cfg", "items": [{"key": "a", "path": "x/y", "mode": 0o400}]}},
        {"name": "s", "secret": {"secretName": "sec", "defaultMode": 0o440}},
        {"name": "no", "secret": {"secretName": "none", "optional": True}},
    )
    assert sorted(entry.name for entry in folders["all"].iterdir() if entry.name[0] != ".") == ["a", "b", "c"]
    assert (folders["all"] / "c").read_bytes() == b"\0\1"
    assert (folders["one"] / "x" / "y").stat().st_mode & 0o777 == 0o400
    assert (folders["s"] / "k").read_bytes() == b"x"
    assert (folders["s"] / "k").stat().st_mode & 0o777 == 0o440
    assert folders["no"].is_dir()


async def test_a_projected_volume_joins_its_sources(world):
    world.seed("ConfigMap", "cfg", data={"a": "1"})
    folders = await world.mount(
        {
            "name": "p",
            "projected": {
                "sources": [
                    {"configMap": {"name": "cfg"}},
                    {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                ]
            },
        }
    )
    assert (folders["p"] / "a").read_text() == "1"
    assert (folders["p"] / "labels").read_text() == 'a="b"'


async def test_a_changed_config_map_reaches_the_volume(world):
    obj = world.seed("ConfigMap", "cfg", data={"a": "1"})
    volume = {"name": "v", "configMap": {"name": "cfg"}}
    folders = await world.mount(volume)
    await world.client.update(CONFIG_MAPS, {**obj, "data": {"a": "2"}})
    await world.volumes.refresh(world.facts(volume))
    assert (folders["v"] / "a").read_text() == "2"


async def test_claims_bound_to_a_directory(world, tmp_path):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "ns"}}
    world.client.seed(claim | {"spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}})
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}}
    world.client.seed(volume | {"spec": {"hostPath": {"path": str(tmp_path / "data")}}})
    folders = await world.mount({"name": "v", "persistentVolumeClaim": {"claimName": "c"}})
    assert folders["v"] == tmp_path / "data"
    assert folders["v"].is_dir()


@pytest.mark.parametrize(
    ("volume", "sentence"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"configMap": {"name": "cfg", "items": [{"key": "z", "path": "p"}]}}, "references non-existent key: z"),
        ({"configMap": {"name": "cfg", "items": [{"key": "a", "path": "../p"}]}}, "must be relative"),
        ({"nfs": {"server": "s", "path": "/"}}, "volumes of type nfs are not implemented .* it implements emptyDir"),
        ({"hostPath": {"path": "/no/such", "type": "Directory"}}, "hostPath type check failed: /no/such"),
        ({"hostPath": {"path": "/a/../etc"}}, "must not contain"),
        ({"persistentVolumeClaim": {"claimName": "none"}}, "not found"),
    ],
)
async def test_a_volume_that_cannot_be_had_says_why(world, volume, sentence):
    world.seed("ConfigMap", "cfg", data={"a": "1"})
    with pytest.raises(MountFailed, match=sentence) as raised:
        await world.mount({"name": "v", **volume})
    assert 'MountVolume.SetUp failed for volume "v"' in str(raised.value)


def mounts(*entries):
    return {"volumeMounts": [dict(zip(("name", "mountPath", "subPath"), entry, strict=False)) for entry in entries]}


@pytest.fixture
def folders(tmp_path):
    result = {}
    for name in ("a", "b"):
        result[name] = tmp_path / "volumes" / name
        result[name].mkdir(parents=True)
    return result


def test_mounts_are_symlinks_beneath_the_root_also_inside_each_other(tmp_path, folders):
    tree = build_tree(tmp_path / "r", mounts(("a", "/mnt"), ("b", "/mnt/deep")), folders, {})
    (tree.root / "mnt" / "deep" / "f").write_text("x")
    assert (folders["b"] / "f").read_text() == "x"
    assert (tree.root / "tmp").is_dir()
    again = build_tree(tmp_path / "r2", mounts(("a", "/mnt"), ("b", "/mnt/deep")), folders, {})
    assert (again.root / "mnt" / "deep" / "f").read_text() == "x"


def test_a_link_that_a_pod_left_in_a_lasting_volume_gives_way_and_a_live_one_does_not(tmp_path, folders):
    container = mounts(("a", "/mnt"), ("b", "/mnt/deep"))
    build_tree(tmp_path / "r", container, folders, {})
    later = folders | {"b": tmp_path / "volumes" / "of-a-later-pod"}
    later["b"].mkdir()
    with pytest.raises(BadConfiguration, match="already shows a different volume"):
        build_tree(tmp_path / "r2", container, later, {})
    folders["b"].rmdir()
    tree = build_tree(tmp_path / "r3", container, later, {})
    assert (tree.root / "mnt" / "deep").resolve() == later["b"]


def test_a_sub_path_is_made_and_stays_inside(tmp_path, folders):
    tree = build_tree(tmp_path / "r", mounts(("a", "/x", "s/t")), folders, {})
    assert (tree.root / "x").resolve() == folders["a"] / "s" / "t"
    (folders["a"] / "evil").symlink_to("/etc")
    with pytest.raises(BadConfiguration, match="leads out"):
        build_tree(tmp_path / "r2", mounts(("a", "/x", "evil")), folders, {})
    with pytest.raises(BadConfiguration, match="must not contain"):
        build_tree(tmp_path / "r3", mounts(("a", "/x", "../b")), folders, {})


def test_a_sub_path_can_be_an_expression(tmp_path, folders):
    container = {"volumeMounts": [{"name": "a", "mountPath": "/x", "subPathExpr": "$(POD)"}]}
    tree = build_tree(tmp_path / "r", container, folders, {"POD": "p1"})
    assert (tree.root / "x").resolve() == folders["a"] / "p1"


def test_bad_mounts_are_refused(tmp_path, folders):
    for container, sentence in (
        (mounts(("none", "/x")), "names no volume"),
        (mounts(("a", "/")), "root folder"),
    ):
        with pytest.raises(BadConfiguration, match=sentence):
            build_tree(tmp_path / "r", container, folders, {})


@pytest.fixture
def tree(tmp_path, folders):
    return build_tree(
        tmp_path / "r", mounts(("a", "/mnt/data"), ("b", "/mnt/database")), folders, {}, files=("/dev/t",)
    )


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/mnt/data", "R/mnt/data"),
        ("cd /mnt/data/x && ls '/mnt/data'", "cd R/mnt/data/x && ls 'R/mnt/data'"),
        ("--out=/mnt/database:/mnt/data", "--out=R/mnt/database:R/mnt/data"),
        ("/mnt/datas /other/mnt/data ./mnt/data", "/mnt/datas /other/mnt/data ./mnt/data"),
        ("http://host/mnt/data", "http://host/mnt/data"),
        ("echo x >/dev/t", "echo x >R/dev/t"),
        ("nothing", "nothing"),
    ],
)
def test_mount_paths_in_words_are_rewritten(tree, text, rewritten):
    assert tree.rewrite(text) == rewritten.replace("R", str(tree.root))


def test_rewriting_twice_changes_nothing_more(tree):
    once = tree.rewrite("/mnt/data")
    assert tree.rewrite(once) == once


def test_paths_are_located_in_the_container_s_tree_or_left_to_the_machine(tree):
    assert tree.locate("/mnt/data/new/file") == tree.root / "mnt/data/new/file"
    assert tree.locate("/tmp") == tree.root / "tmp"
    assert tree.locate("/tmp/new") == tree.root / "tmp/new"
    assert tree.locate("/") == tree.root
    assert tree.locate("/etc/passwd") is None
    assert tree.locate(str(tree.root / "x")) is None
    assert tree.locate("/mnt/data/../../etc") is None


def test_what_a_process_wrote_to_a_projected_file_is_undone(tmp_path):
    payload = {"k": ProjectedFile(b"true", 0o444)}
    write_payload(tmp_path / "v", payload, now=NOW)
    (tmp_path / "v" / "k").chmod(0o644)
    (tmp_path / "v" / "k").write_bytes(b"false")
    assert write_payload(tmp_path / "v", payload, now=NOW) is True
    assert (tmp_path / "v" / "k").read_bytes() == b"true"
    assert write_payload(tmp_path / "v", payload, now=NOW) is False
