"""The Reviewer as an HTTPS admission webhook, for API servers that are not ours."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import web

from kaito.api.validation.workspace import WEBHOOK
from kaito.operator.admission import WEBHOOKS, Reviewer

PATH = "/validate/"
TIMEOUT_SECONDS = 10
MAX_BODY_BYTES = 8 * 1024 * 1024
"""Two copies of the largest object an API server takes (3 MiB), and what comes with them."""


class KeyPair(Protocol):
    """A server certificate with its key, PEM."""

    @property
    def cert_pem(self) -> bytes: ...

    @property
    def key_pem(self) -> bytes: ...


class WebhookServer:
    """Answers `admission.k8s.io/v1` AdmissionReviews under `/validate/<webhook name>`, for each webhook."""

    def __init__(self, reviewer: Reviewer, certificate: KeyPair) -> None:
        self._reviewer = reviewer
        self._certificate = certificate
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the URL for `webhook_configuration`. Port 0 takes a free one."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for name in WEBHOOKS.values():
            app.router.add_post(PATH + name, self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=_tls(self._certificate))
        await site.start()
        bound = self._runner.addresses[0][1]
        return f"https://{host}:{bound}{PATH}"

    async def stop(self) -> None:
        """Stop listening; safe to call again."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            review = orjson.loads(await request.read())
            asked = review["request"]
            resource = asked["resource"]
            gvr = (str(resource.get("group", "")), str(resource["version"]), str(resource["resource"]))
            operation, uid = str(asked["operation"]), str(asked["uid"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            return web.Response(status=400, text=f"not an AdmissionReview: {error!r}")
        verdict = await self._reviewer.review(
            operation,
            gvr,
            asked.get("oldObject"),
            asked.get("object"),
            subresource=str(asked.get("subResource") or ""),
        )
        response: dict[str, Any] = {"uid": uid, "allowed": verdict.allowed}
        if verdict.warnings:
            response["warnings"] = list(verdict.warnings)
        if not verdict.allowed:
            reason = "BadRequest" if verdict.code == 400 else "InternalError"
            response["status"] = {
                "status": "Failure",
                "message": verdict.bare_message,
                "reason": reason,
                "code": verdict.code,
            }
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        return web.Response(body=orjson.dumps(body), content_type="application/json")


def _tls(certificate: KeyPair) -> ssl.SSLContext:
    """A server context. Python reads certificates from files only; they exist for a moment, for their owner alone."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory(prefix="kaito-webhook-") as folder:
        chain, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        chain.write_bytes(certificate.cert_pem)
        key.write_bytes(certificate.key_pem)
        context.load_cert_chain(chain, key)
    return context


def webhook_configuration(url: str, ca_pem: bytes) -> dict[str, Any]:
    """The ValidatingWebhookConfiguration for a WebhookServer at `url`, in Kaito's terms.

    Kaito's covers the status subresource too; ours does not, there is nothing to check there.
    """
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK},
        "webhooks": [_webhook(name, plural, url, ca_pem) for plural, name in WEBHOOKS.items()],
    }


def _webhook(name: str, plural: str, url: str, ca_pem: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": url + name, "caBundle": base64.b64encode(ca_pem).decode()},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "namespaceSelector": {
            "matchExpressions": [{"key": "webhooks.knative.dev/exclude", "operator": "DoesNotExist"}]
        },
        "rules": [
            {
                "apiGroups": ["kaito.sh"],
                "apiVersions": ["v1alpha1", "v1beta1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": [plural],
                "scope": "*",
            }
        ],
    }
