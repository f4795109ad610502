import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from kaito_runtime.errors import BadConfig, UsageFailure
from kaito_runtime.hostglob import host_matches
from kaito_runtime.images.credentials import config_files, find_credentials
from kaito_runtime.images.references import parse_reference

Write = Callable[[dict[str, dict[str, str]]], Path]


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("host:5000/a/b:x", "host:5000/a/b:x"),
        ("my.azurecr.io/a@sha256:" + "a" * 64, "my.azurecr.io/a@sha256:" + "a" * 64),
    ],
)
def test_a_reference_is_read_as_docker_users_write_it(text: str, full: str) -> None:
    assert str(parse_reference(text)) == full


@pytest.mark.parametrize(
    "text", ["", "A/B", "a.b/UPPER:1", "host/a:b:c", "host.io/a@sha256:1", "http://h.io/a", "h.io/../a"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageFailure, match="not an image reference"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        # the kubelet's own table, in our words
        ("*.azurecr.io", "my.azurecr.io/a", True),
        ("*.azurecr.io", "azurecr.io/a", False),
        ("*.azurecr.io", "a.b.azurecr.io", False),
        ("a*.azurecr.io", "abc.azurecr.io", True),
        ("*.*.azurecr.io", "a.b.azurecr.io", True),
        ("https://my.azurecr.io/v2/", "my.azurecr.io/x", True),
        ("my.azurecr.io/team", "my.azurecr.io/team/a", True),
        ("my.azurecr.io/team", "my.azurecr.io/other", False),
        ("my.azurecr.io:5000", "my.azurecr.io", False),
        ("my.azurecr.io:5000", "my.azurecr.io:5000/a", True),
        ("MY.azurecr.io", "my.azurecr.io", True),
    ],
)
def test_hosts_match_as_in_the_kubelet(pattern: str, target: str, expected: bool) -> None:
    assert host_matches(pattern, target) is expected


def test_the_longer_path_comes_first(docker_config: Write) -> None:
    path = docker_config(
        {
            "r.io": {"username": "host", "password": "p"},
            "r.io/team": {"auth": base64.b64encode(b"team:se:cret").decode()},
            "other.io": {"username": "no", "password": "p"},
        }
    )
    found = find_credentials(parse_reference("r.io/team/a:1"), [path])
    assert [(item.username, item.password) for item in found] == [("team", "se:cret"), ("host", "p")]
    assert "se:cret" not in repr(found)


def test_docker_hub_has_its_own_key(docker_config: Write) -> None:
    path = docker_config({"https://index.docker.io/v1/": {"username": "me", "password": "p"}})
    assert [item.username for item in find_credentials(parse_reference("busybox"), [path])] == ["me"]


def test_the_config_and_each_secret_are_found(tmp_path: Path) -> None:
    for name in ("config.json", "config.d/b/s.json", "config.d/a/s.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert [str(path.relative_to(tmp_path)) for path in config_files(tmp_path)] == [
        "config.json",
        "config.d/a/s.json",
        "config.d/b/s.json",
    ]


@pytest.mark.parametrize("text", ["{", '"text"', '{"auths": {"r.io": {"auth": "secret!"}}}'])
def test_a_broken_configuration_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(BadConfig, match=r"config\.json") as caught:
        find_credentials(parse_reference("r.io/a"), [path])
    assert "secret" not in str(caught.value)


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install docker-credential-<name> with this shell script as its body."""

    def install(name: str, script: str) -> None:
        path = tmp_path / "bin" / f"docker-credential-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/bin:/usr/bin")

    return install


ANSWERING = """
test "$1" = get || exit 2
server=$(cat)
printf '{"ServerURL":"%s","Username":"of-%s","Secret":"s3cret"}' "$server" "$server"
"""


def test_helpers_are_asked_for_their_registry_before_and_the_store_after_the_entries(
    tmp_path: Path, helper: Callable[[str, str], None]
) -> None:
    helper("mine", ANSWERING)
    helper("all", ANSWERING.replace("of-", "store-"))
    path = tmp_path / "config.json"
    entries = {"r.io": {"username": "entry", "password": "p"}}
    path.write_text(
        json.dumps({"auths": entries, "credHelpers": {"r.io": "mine", "o.io": "gone"}, "credsStore": "all"})
    )
    found = find_credentials(parse_reference("r.io/a"), [path])
    assert [item.username for item in found] == ["of-r.io", "entry", "store-r.io"]
    assert found[0].password == "s3cret"
    assert "s3cret" not in repr(found)
    assert find_credentials(parse_reference("busybox"), [path])[0].username == "store-https://index.docker.io/v1/"


def test_a_helpers_token_is_an_identity_token(tmp_path: Path, helper: Callable[[str, str], None]) -> None:
    helper("token", """printf '{"Username":"<token>","Secret":"s3cret"}'""")
    path = tmp_path / "config.json"
    path.write_text('{"credHelpers": {"r.io": "token"}}')
    (found,) = find_credentials(parse_reference("r.io/a"), [path])
    assert (found.username, found.identity_token) == ("", "s3cret")


@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        ("none", 'printf "credentials not found in native keychain"; exit 1', ""),
        ("fails", "echo s3cret; exit 3", "it ended with 3"),
        ("talks", "echo s3cret", "its answer is not a user and a secret"),
        ("missing", "", "it is not installed"),
        ("../evil", "", "this is no name of a helper"),
    ],
)
def test_a_helper_that_does_not_help_is_named_and_left_out(
    tmp_path: Path, helper: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], name: str, script: str,
    said: str,
) -> None:  # fmt: skip
    if script:
        helper(name, script)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credHelpers": {"r.io": name}, "auths": {"r.io": {"username": "u", "password": "p"}}}))
    assert [item.username for item in find_credentials(parse_reference("r.io/a"), [path])] == ["u"]
    out = capsys.readouterr().out
    assert said in out
    assert bool(said) == bool(out)
    assert "s3cret" not in out


def test_an_auth_may_end_in_a_line_break(docker_config: Write) -> None:
    path = docker_config({"r.io": {"auth": base64.b64encode(b"me:pw").decode() + "\n"}})
    assert [item.password for item in find_credentials(parse_reference("r.io/a"), [path])] == ["pw"]
