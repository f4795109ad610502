import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from kaito_runtime.errors import BadData, NotFound, Refused, Unavailable
from kaito_runtime.images.credentials import Credential
from kaito_runtime.images.packing import pack_adapter
from kaito_runtime.images.pulling import pull_data
from kaito_runtime.images.pushing import check_access, push_adapter
from kaito_runtime.images.references import parse_reference
from kaito_runtime.images.registry import Repository
from kaito_runtime.mirrors import MirrorMap
from kaito_runtime.transfer.retrying import Patience

GOOD = Credential("u", "pw", "config.json (good)")
BAD = Credential("u", "wrong", "config.json (bad)")
IMAGE = parse_reference("team.azurecr.io/adapters/a:1")
NAME = "adapters/a"


def push(client: httpx.Client, folder: Path, patience: Patience, *credentials: Credential, **more: Any) -> str:
    options = {"annotations": {"sh.kaito.model.name": "phi-3"}, "mirrors": MirrorMap()} | more
    return push_adapter(client, IMAGE, folder, credentials=credentials, patience=patience, **options)


def pull(client: httpx.Client, output: Path, patience: Patience, *credentials: Credential) -> tuple[str, list[str]]:
    return pull_data(client, IMAGE, output, credentials=credentials, mirrors=MirrorMap(), patience=patience)


@pytest.mark.parametrize("scheme", ["none", "basic", "bearer"])
def test_what_is_pushed_can_be_pulled(
    client: httpx.Client, registry: Any, adapter: Path, tmp_path: Path, patience: Patience, scheme: str
) -> None:
    registry.scheme = scheme
    pushed = push(client, adapter, patience, GOOD)
    pulled, names = pull(client, tmp_path / "out", patience, BAD, GOOD)
    assert pulled == pushed
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (adapter / name).read_bytes()


def test_the_image_has_kaitos_layout(client: httpx.Client, registry: Any, adapter: Path, patience: Patience) -> None:
    push(client, adapter, patience, GOOD)
    kind, content = registry.manifests[f"{NAME}:1"]
    manifest = json.loads(content)
    assert kind == manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["annotations"]["sh.kaito.model.name"] == "phi-3"
    assert "org.opencontainers.image.created" in manifest["annotations"]
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert list(config) == ["rootfs"]
    assert len(config["rootfs"]["diff_ids"]) == 1


def test_the_same_adapter_is_the_same_image(adapter: Path, tmp_path: Path) -> None:
    first = pack_adapter(adapter, tmp_path / "1", annotations={"a": "b"})
    (adapter / "adapter_config.json").touch()
    (adapter / "adapter_config.json").chmod(0o600)
    assert pack_adapter(adapter, tmp_path / "2", annotations={"a": "b"}).digest == first.digest
    assert pack_adapter(adapter, tmp_path / "3", annotations={"a": "c"}).digest != first.digest


def test_an_adapter_that_is_not_whole_is_not_packed(adapter: Path, tmp_path: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(BadData, match=r"adapter_model\.safetensors is missing"):
        pack_adapter(adapter, tmp_path / "layer", annotations={})


def test_large_layers_go_up_in_chunks(client: httpx.Client, registry: Any, tmp_path: Path, patience: Patience) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"0123456789" * 10)
    import hashlib

    digest = "sha256:" + hashlib.sha256(blob.read_bytes()).hexdigest()
    repository = Repository(client, IMAGE, GOOD, patience=patience, chunk=30)
    repository.upload(blob, digest)
    assert registry.blobs[digest] == blob.read_bytes()
    assert sum(request.startswith("PATCH") for request in registry.requests) == 3
    before = len(registry.requests)
    repository.upload(blob, digest)
    assert registry.requests[before:] == [f"HEAD /v2/{NAME}/blobs/{digest}"]


def test_wrong_credentials_are_refused_with_the_registrys_words(
    client: httpx.Client, adapter: Path, patience: Patience, pauses: list[float]
) -> None:
    with pytest.raises(
        Refused, match=r"team\.azurecr\.io refuses adapters/a as in config\.json \(bad\): 401"
    ) as caught:
        push(client, adapter, patience, BAD)
    assert "UNAUTHORIZED: authentication required" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert pauses == []


def test_credentials_are_tried_before_there_is_anything_to_push(client: httpx.Client, registry: Any) -> None:
    check_access(client, IMAGE, credentials=[BAD, GOOD], mirrors=MirrorMap())
    with pytest.raises(Refused, match="401"):
        check_access(client, IMAGE, credentials=[BAD], mirrors=MirrorMap())
    assert registry.uploads == {}
    registry.faults = [httpx.ConnectError("Connection refused")]
    check_access(client, IMAGE, credentials=[BAD], mirrors=MirrorMap())


def test_every_credential_is_tried(client: httpx.Client, adapter: Path, patience: Patience) -> None:
    assert push(client, adapter, patience, BAD, GOOD).startswith("sha256:")


def test_a_registry_that_comes_back_is_pushed_to(
    client: httpx.Client, registry: Any, adapter: Path, patience: Patience, pauses: list[float]
) -> None:
    registry.faults = [httpx.ConnectError("Connection refused"), 503]
    push(client, adapter, patience, GOOD)
    assert pauses == [1.0, 2.0]


def test_a_registry_that_stays_away_is_named_with_its_address(
    client: httpx.Client, registry: Any, adapter: Path, patience: Patience
) -> None:
    registry.faults = [httpx.ConnectError("Connection refused")] * 9
    mirrors = MirrorMap(registries={"*.azurecr.io": "http://127.0.0.1:5001/{host}"})
    with pytest.raises(Unavailable, match=r"team\.azurecr\.io \(http://127\.0\.0\.1:5001\) cannot be reached.*3 times"):
        push(client, adapter, patience, GOOD, mirrors=mirrors)


def test_a_mirrored_registry_keeps_the_host_in_the_path(
    client: httpx.Client, registry: Any, adapter: Path, patience: Patience
) -> None:
    mirrors = MirrorMap(registries={"*.azurecr.io": "http://127.0.0.1:5001/{host}"})
    push(client, adapter, patience, GOOD, mirrors=mirrors)
    assert f"team.azurecr.io/{NAME}:1" in registry.manifests


def test_an_image_that_is_not_there_is_not_found(client: httpx.Client, tmp_path: Path, patience: Patience) -> None:
    with pytest.raises(NotFound, match="MANIFEST_UNKNOWN"):
        pull(client, tmp_path / "out", patience, GOOD)


def test_a_layer_with_another_digest_is_refused_and_nothing_is_kept(
    client: httpx.Client, registry: Any, adapter: Path, tmp_path: Path, patience: Patience
) -> None:
    push(client, adapter, patience, GOOD)
    digest = json.loads(registry.manifests[f"{NAME}:1"][1])["layers"][0]["digest"]
    registry.blobs[digest] += b"x"
    with pytest.raises(BadData, match="does not have the digest"):
        pull(client, tmp_path / "out", patience, GOOD)
    assert not (tmp_path / "out").exists()


def test_a_pull_replaces_what_an_earlier_one_left(
    client: httpx.Client, adapter: Path, tmp_path: Path, patience: Patience
) -> None:
    push(client, adapter, patience, GOOD)
    output = tmp_path / "out"
    (output / "adapter_config.json").mkdir(parents=True)
    (output / "other").write_text("kept")
    pull(client, output, patience, GOOD)
    assert (output / "adapter_config.json").read_text() == '{"r": 16}'
    assert (output / "other").read_text() == "kept"


def test_an_index_leads_to_this_machines_image(
    client: httpx.Client, registry: Any, adapter: Path, tmp_path: Path, patience: Patience
) -> None:
    digest = push(client, adapter, patience, GOOD)
    index = {
        "schemaVersion": 2,
        "manifests": [
            {"digest": "sha256:" + "0" * 64, "platform": {"os": "windows", "architecture": "amd64"}},
            {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}},
        ],
    }
    registry.manifests[f"{NAME}:1"] = ("application/vnd.oci.image.index.v1+json", json.dumps(index).encode())
    assert pull(client, tmp_path / "out", patience, GOOD)[0] == digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": "sha256:../../secret"}, "without a sha256 digest"),
        ({"size": "many"}, "without a size"),
        ({"size": 10}, "does not have the digest"),
    ],
)
def test_a_manifest_that_is_not_to_be_trusted_is_refused(
    client: httpx.Client, registry: Any, adapter: Path, tmp_path: Path, patience: Patience, changes: dict[str, Any],
    words: str,
) -> None:  # fmt: skip
    push(client, adapter, patience, GOOD)
    kind, content = registry.manifests[f"{NAME}:1"]
    manifest = json.loads(content)
    manifest["layers"][0] |= changes
    registry.manifests[f"{NAME}:1"] = (kind, json.dumps(manifest).encode())
    with pytest.raises(BadData, match=words):
        pull(client, tmp_path / "out", patience, GOOD)
    assert not (tmp_path / "out").exists()


def test_a_manifest_without_end_is_refused(
    client: httpx.Client, registry: Any, tmp_path: Path, patience: Patience
) -> None:
    registry.manifests[f"{NAME}:1"] = ("x", b" " * (5 << 20))
    with pytest.raises(BadData, match="a manifest of more than 4194304 bytes"):
        pull(client, tmp_path / "out", patience, GOOD)


def test_an_error_never_quotes_a_secret_header(
    client: httpx.Client, registry: Any, tmp_path: Path, patience: Patience
) -> None:
    registry.faults = [httpx.LocalProtocolError("Illegal header value b'Bearer s3cret'")] * 9
    with pytest.raises(Unavailable, match="LocalProtocolError") as caught:
        pull(client, tmp_path / "out", patience, GOOD)
    assert "s3cret" not in str(caught.value)
