"""Kinds that are questions, not objects: access reviews, token reviews, who am I."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.authenticating import Authenticator
from kaito.embedded.apiserver.authorizing import Attributes, Authorizer
from kaito.embedded.apiserver.bodies import read_object
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.decoding import decode
from kaito.embedded.apiserver.errors import Cause, GroupResource, StatusError, bad_request, invalid
from kaito.embedded.apiserver.identity import User
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.tokens import ISSUER, InvalidToken, TokenIssuer
from kaito.embedded.apiserver.write_options import write_options
from kaito.embedded.apiserver.writing import timestamp
from kaito.kube.clock import Clock

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

    def __init__(self, authorizer: Authorizer, authenticator: Authenticator, issuer: TokenIssuer, clock: Clock) -> None:
        self._clock = clock
        self._authorizer = authorizer
        self._authenticator = authenticator
        self._issuer = issuer

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        form = choose(call.accept, ("object",))
        options = write_options(call.query, call.headers, "CreateOptions")
        body, raw = await read_object(call, resource.kind.kind)
        obj = decode(resource, body, raw, options.validation, call)
        spec: dict[str, Any] = obj.get("spec") or {}
        status: dict[str, Any]
        match resource.plural:
            case "selfsubjectreviews":
                status = {"userInfo": call.user.info()}
            case "selfsubjectaccessreviews":
                status = self._access(resource, call.user, spec)
            case "selfsubjectrulesreviews":
                if not spec.get("namespace"):
                    raise bad_request("no namespace on request")
                status = self._list_rules(call.user, spec["namespace"])
            case "tokenreviews":
                status = self._token(spec)
            case _:
                status = self._other(resource, namespace, spec)
        answer: Object = {**obj, "status": status}
        metadata = answer.setdefault("metadata", {})
        if resource.plural == "selfsubjectreviews":
            metadata["creationTimestamp"] = timestamp(self._clock.now())
        else:
            self._track(resource, answer, options.manager)
        return await send(call, orjson.dumps(answer), status=201, form=form)

    def _track(self, resource: Resource, answer: Object, manager: str) -> None:
        now = timestamp(self._clock.now())
        asked = {**answer, "status": {}}
        resource.strategy.track(asked, None, manager=manager, time=now, subresource="")
        answer["metadata"] = asked["metadata"]

    def _other(self, resource: Resource, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
        if resource.plural == "localsubjectaccessreviews":
            asked = (spec.get("resourceAttributes") or {}).get("namespace", "")
            if asked != namespace:
                message = f'Invalid value: "{asked}": must match metadata.namespace'
                cause = Cause("FieldValueInvalid", message, "spec.resourceAttributes.namespace")
                raise invalid(resource.group_kind, "", [cause])
        if not spec.get("user") and not spec.get("groups"):
            message = 'Invalid value: "": at least one of user or group must be specified'
            raise invalid(resource.group_kind, "", [Cause("FieldValueInvalid", message, "spec.user")])
        extra = {key.lower(): tuple(values) for key, values in (spec.get("extra") or {}).items()}
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)
        return self._access(resource, user, spec)

    def _access(self, resource: Resource, user: User, spec: dict[str, Any]) -> dict[str, Any]:
        asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (asked is None) == (path is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            shown = "null" if asked is None else orjson.dumps(path).decode()
            field = "spec.resourceAttributes" if asked is None else "spec.nonResourceAttributes"
            # The real server loses the kind in this message.
            kind = GroupResource(resource.group, "")
            raise invalid(kind, "", [Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", field)])
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
        allowed = self._authorizer.allows(user, wanted)
        return {"allowed": True} if allowed else {"allowed": False}

    def _list_rules(self, user: User, namespace: str) -> dict[str, Any]:
        found: dict[str, Any] = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
        for place, rule in self._authorizer.rules(user):
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
            return {"user": {}, "error": "no token given"}
        audiences = spec.get("audiences") or [ISSUER]
        try:
            user = self._issuer.verify(token, audiences)
        except (InvalidToken, KeyError, TypeError):
            try:
                user = self._authenticator.user_of(token)
            except StatusError:
                return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": user.info(), "audiences": list(audiences)}
