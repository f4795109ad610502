"""Who may do what: tokens, certificates, RBAC, impersonation, reviews."""

import ssl
from pathlib import Path

import aiohttp
import pytest

from kaito.embedded.apiserver.accounts import uid_lookup
from kaito.embedded.apiserver.store import Change, ObjectKey, Store
from kaito.embedded.apiserver.tokens import Bound, InvalidToken, TokenIssuer
from tests.unit.apiserver.conftest import ACCOUNT_KEY, AUTHORITY, Api

PODS = "/api/v1/namespaces/default/pods"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def account(api: Api, name: str = "sa") -> str:
    """A service account's token."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.post(accounts, {"metadata": {"name": name}})
    answer = await api.post(f"{accounts}/{name}/token", {"spec": {"expirationSeconds": 600}})
    assert answer.status == 201, answer.body
    return str(answer.body["status"]["token"])


async def test_a_bad_token_is_unauthorized_and_no_token_is_anonymous(api: Api) -> None:
    bad = await api.as_token("wrong").get(PODS)
    assert (bad.status, bad.reason) == (401, "Unauthorized")
    anonymous = await api.as_token("").get("/api/v1/pods")
    assert anonymous.status == 403
    assert anonymous.message == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'
    )
    assert (await api.as_token("").get("/healthz")).body == "ok"
    assert (await api.as_token("").get("/metrics")).message == (
        'forbidden: User "system:anonymous" cannot get path "/metrics"'
    )


async def test_a_client_certificate_names_the_user(api: Api, tmp_path: Path) -> None:
    certificate = AUTHORITY.issue("carl", organizations=["system:masters"], usage="client")
    certificate.write(tmp_path / "crt", tmp_path / "key")
    context = ssl.create_default_context(cadata=AUTHORITY.ca_pem.decode())
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    review = f"{api.url}/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with aiohttp.ClientSession() as session, session.post(review, json={}, ssl=context) as answer:
        user = (await answer.json())["status"]["userInfo"]
    assert user == {"username": "carl", "groups": ["system:masters", "system:authenticated"]}


async def test_a_service_account_may_do_what_its_role_grants_and_nothing_else(api: Api) -> None:
    mine = api.as_token(await account(api))
    denied = await mine.get(PODS)
    assert denied.message == (
        'pods is forbidden: User "system:serviceaccount:default:sa" cannot list resource "pods" '
        'in API group "" in the namespace "default"'
    )
    role = {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]}
    await api.post(f"{RBAC}/namespaces/default/roles", role)
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "sa", "namespace": "default"}],
    }
    await api.post(f"{RBAC}/namespaces/default/rolebindings", binding)
    assert (await mine.get(PODS)).status == 200
    assert (await mine.get("/api/v1/pods")).status == 403
    assert (await mine.delete(f"{PODS}/x")).status == 403
    assert (await mine.get(f"{PODS}/x/log")).status == 403
    await api.delete(f"{RBAC}/namespaces/default/rolebindings/b")
    assert (await mine.get(PODS)).status == 403


async def test_aggregating_roles_gather_the_rules_of_others(api: Api) -> None:
    mine = api.as_token(await account(api))
    binding = {
        "metadata": {"name": "v"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "Group", "name": "system:serviceaccounts", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    await api.post(f"{RBAC}/namespaces/default/rolebindings", binding)
    assert (await mine.get(PODS)).status == 200
    assert (await mine.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})).status == 201
    assert (await mine.get("/api/v1/namespaces/kube-system/pods")).status == 403


async def test_access_reviews_answer_for_oneself_and_for_others(api: Api) -> None:
    mine = api.as_token(await account(api))
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}}
    assert (await api.post(reviews, asked)).body["status"] == {"allowed": True}
    assert (await mine.post(reviews, asked)).body["status"] == {"allowed": False}
    other = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    about = {"spec": {**asked["spec"], "user": "x", "groups": ["system:masters"]}}
    assert (await api.post(other, about)).body["status"]["allowed"] is True
    path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}}
    assert (await mine.post(reviews, path)).body["status"]["allowed"] is True
    assert (await api.post(reviews, {"spec": {}})).status == 422
    rules = await api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in rules.body["status"]["resourceRules"]


async def test_a_token_review_tells_whose_token_it_is(api: Api) -> None:
    token = await account(api)
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    status = (await api.post(path, {"spec": {"token": token}})).body["status"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == "system:serviceaccount:default:sa"
    assert (await api.post(path, {"spec": {"token": "x"}})).body["status"] == {
        "user": {},
        "error": "invalid bearer token",
    }


async def test_a_token_dies_with_its_account(api: Api) -> None:
    mine = api.as_token(await account(api))
    assert (await mine.get("/version")).status == 200
    await api.delete("/api/v1/namespaces/default/serviceaccounts/sa")
    assert (await mine.get("/version")).status == 401


async def test_acting_as_somebody_else_needs_the_right_to_impersonate(api: Api) -> None:
    answer = await api.get("/api/v1/pods", Impersonate_User="bob")
    assert answer.status == 403
    assert 'User "bob" cannot list resource "pods"' in answer.message
    mine = api.as_token(await account(api))
    refused = await mine.get("/api/v1/pods", Impersonate_User="admin")
    assert 'cannot impersonate resource "users" in API group ""' in refused.message


def test_a_token_expires_and_is_bound_to_its_audience_and_object() -> None:
    store = Store.open()
    store.commit([Change("/serviceaccounts", ObjectKey("n", "a"), {"metadata": {"uid": "u"}})])
    store.commit([Change("/pods", ObjectKey("n", "p"), {"metadata": {"uid": "pu"}})])
    now = 1000.0
    issuer = TokenIssuer(ACCOUNT_KEY, uid_lookup(store), lambda: now)
    token, expires = issuer.issue("n", "a", "u", audiences=["x"], seconds=600, bound=Bound("Pod", "p", "pu"))
    assert expires == 1600
    user, audiences = issuer.verified(token, ["x", "y"])
    assert audiences == ["x"]
    assert user.name == "system:serviceaccount:n:a"
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    with pytest.raises(InvalidToken, match="audience"):
        issuer.verified(token, ["y"])
    now = 1601.0
    with pytest.raises(InvalidToken, match="expired"):
        issuer.verified(token, ["x"])
    now = 1000.0
    store.commit([Change("/pods", ObjectKey("n", "p"), None)])
    with pytest.raises(InvalidToken, match="its pod is gone"):
        issuer.verified(token, ["x"])
    head, body, signature = token.split(".")
    for forged in (f"{head}.{body}.", f"{head}.{body}x.{signature}", "a.b", "", "\udcff"):
        with pytest.raises(InvalidToken):
            issuer.verified(forged, ["x"])
