"""Kinds that are questions, not objects: access reviews, token reviews, who am I."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.authenticating import Authenticator
from kaito.embedded.apiserver.authorizing import Attributes, Authorizer
from kaito.embedded.apiserver.bodies import read_object
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.decoding import decode
from kaito.embedded.apiserver.errors import Cause, GroupResource, bad_request, invalid
from kaito.embedded.apiserver.identity import User
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey
from kaito.embedded.apiserver.tokens import ISSUER, InvalidToken, TokenIssuer
from kaito.embedded.apiserver.write_options import write_options
from kaito.embedded.apiserver.writing import ensure_namespace, timestamp
from kaito.kube.clock import Clock

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
REVIEWS = frozenset(
    (
        "selfsubjectaccessreviews",
        "subjectaccessreviews",
        "localsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "tokenreviews",
        "selfsubjectreviews",
    )
)


class Reviews:
    """Answers what is asked with a POST; nothing is stored."""

    def __init__(
        self, reader: Reader, authorizer: Authorizer, authenticator: Authenticator, issuer: TokenIssuer, clock: Clock
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._authorizer = authorizer
        self._authenticator = authenticator
        self._issuer = issuer

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        form = choose(call.accept, ("object", "partial"))
        options = write_options(call.query, call.headers, "CreateOptions")
        body, raw = await read_object(call, resource.kind.kind)
        obj = decode(resource, body, raw, options.validation, call)
        if resource.namespaced:
            ensure_namespace(obj, namespace)
        spec: dict[str, Any] = obj.get("spec") or {}
        if resource.plural == "selfsubjectreviews":
            obj["metadata"] = {"creationTimestamp": timestamp(self._clock.now())}  # a new object, too
        else:
            self._track(resource, obj, options.manager)
        status: dict[str, Any]
        match resource.plural:
            case "selfsubjectreviews":
                status = {"userInfo": call.user.info()}
            case "selfsubjectrulesreviews":
                if not spec.get("namespace"):
                    raise bad_request("no namespace on request")
                status = self._list_rules(call.user, spec["namespace"])
                obj = {**obj, "metadata": {}, "spec": {}}  # the real server answers with a new object
            case "tokenreviews":
                status = self._token(spec)
            case _:
                status = self._access(resource, call.user, obj, spec)
        bare = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}
        bare["status"] = status
        entry = Entry(ObjectKey(namespace, ""), 0, bare, orjson.dumps(bare))
        return await self._reader.show(call, resource, entry, status=201, form=form)

    def _track(self, resource: Resource, obj: Object, manager: str) -> None:
        now = timestamp(self._clock.now())
        asked = {**obj, "status": {}}
        resource.strategy.track(asked, None, manager=manager, time=now, subresource="")
        obj["metadata"] = asked["metadata"]

    def _access(self, resource: Resource, user: User, obj: Object, spec: dict[str, Any]) -> dict[str, Any]:
        causes = access_review_causes(resource.plural, obj["metadata"], spec)
        if causes:
            raise invalid(GroupResource(resource.group, ""), "", causes)  # the real server loses the kind
        if resource.plural != "selfsubjectaccessreviews":
            extra = {key.lower(): tuple(values) for key, values in (spec.get("extra") or {}).items()}
            user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)
        asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if asked is not None:
            wanted = Attributes(
                asked.get("verb", ""),
                asked.get("group", ""),
                asked.get("version", ""),
                asked.get("resource", ""),
                asked.get("subresource", ""),
                asked.get("name", ""),
                asked.get("namespace", ""),
            )
        else:
            wanted = Attributes((path or {}).get("verb", ""), path=(path or {}).get("path", "") or "/")
        status: dict[str, Any] = {}
        ignored = [
            f"spec.resourceAttributes.{name} ignored due to parse error"
            for name in ("fieldSelector", "labelSelector")
            if any(
                r.get("operator") not in _OPERATORS for r in ((asked or {}).get(name) or {}).get("requirements") or ()
            )
        ]
        if ignored:
            status["evaluationError"] = ignored[0] if len(ignored) == 1 else f"[{', '.join(ignored)}]"
        why = self._authorizer.reason(user, wanted)
        if why is None:
            return {"allowed": False, **status}
        return {"allowed": True, **({"reason": why} if why else {}), **status}

    def _list_rules(self, user: User, namespace: str) -> dict[str, Any]:
        found: dict[str, Any] = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
        for place, rule, _ in self._authorizer.rules(user):
            if place is not None and place != namespace:
                continue
            if rule.get("nonResourceURLs"):
                urls = {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
                found["nonResourceRules"].append(urls)
            else:
                found["resourceRules"].append(
                    {name: rule[name] for name in ("verbs", "apiGroups", "resources", "resourceNames") if name in rule}
                )
        return found

    def _token(self, spec: dict[str, Any]) -> dict[str, Any]:
        token = spec.get("token", "")
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        wanted = spec.get("audiences") or [ISSUER]
        user = self._authenticator.static_user(token)
        if user is not None:
            if ISSUER not in wanted:
                return {"user": {}}
            return {"authenticated": True, "user": user.info(), "audiences": [ISSUER]}
        try:
            user, audiences = self._issuer.verified(token, wanted)
        except InvalidToken as problem:
            why = str(problem)
            return {"user": {}, "error": f"[invalid bearer token, {why}]" if why else "invalid bearer token"}
        return {"authenticated": True, "user": user.info(), "audiences": audiences}


def access_review_causes(plural: str, metadata: Object, spec: dict[str, Any]) -> list[Cause]:
    """What is wrong with an access review (k8s.io/kubernetes/pkg/apis/authorization/validation)."""
    causes: list[Cause] = []

    def wrong(field: str, value: Any, why: str) -> None:
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {orjson.dumps(value).decode()}: {why}", field))

    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    shown = None if path is None else {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
    if asked is not None and path is not None:
        wrong("spec.nonResourceAttributes", shown, "cannot be specified in combination with resourceAttributes")
    if asked is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        wrong("spec.resourceAttributes", None, why)
    if plural != "selfsubjectaccessreviews" and not spec.get("user") and not spec.get("groups"):
        wrong("spec.user", "", "at least one of user or group must be specified")
    local = plural == "localsubjectaccessreviews"
    if set(metadata) - {"managedFields"} - ({"namespace"} if local else set()):
        wrong("metadata", metadata, f"must be empty{' except for namespace' if local else ''}")
    if local and asked is not None and asked.get("namespace", "") != metadata["namespace"]:
        wrong("spec.resourceAttributes.namespace", asked.get("namespace", ""), "must match metadata.namespace")
    if local and path is not None:
        wrong("spec.nonResourceAttributes", shown, "disallowed on this kind of request")
    return causes
