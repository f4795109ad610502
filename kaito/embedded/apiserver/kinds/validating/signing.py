"""CertificateSigningRequests (pkg/apis/certificates/validation)."""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import duplicate, forbidden, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.signing import APPROVALS, of_type

Json = dict[str, Any]
LEGACY_SIGNER: Final = "kubernetes.io/legacy-unknown"
SHORTEST_SECONDS: Final = 600
CONDITIONS: Final = "status.conditions"
PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE REQUEST-----\s.*-----END CERTIFICATE REQUEST-----", re.DOTALL)
USAGES: Final = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip


def check_request(csr: Json) -> list[Cause]:
    spec = csr.get("spec") or {}
    causes: list[Cause] = []
    if not PEM.search(base64.b64decode(spec.get("request") or "")):
        detail = "PEM block type must be CERTIFICATE REQUEST"
        causes.append(invalid("spec.request", spec.get("request"), detail))
    usages = spec.get("usages") or []
    if not usages:
        causes.append(required("spec.usages"))
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            causes.append(not_supported(f"spec.usages[{index}]", usage, USAGES))
    for index, usage in enumerate(usages):
        if usage in usages[:index]:
            causes.append(duplicate(f"spec.usages[{index}]", usage))
    causes += _check_signer(spec.get("signerName", ""), "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < SHORTEST_SECONDS:
        detail = f"may not specify a duration less than {SHORTEST_SECONDS} seconds (10 minutes)"
        causes.append(invalid("spec.expirationSeconds", seconds, detail))
    status = csr.get("status") or {}
    causes += _check_conditions(status.get("conditions") or [])
    if (certificate := status.get("certificate")) and b"-----BEGIN CERTIFICATE-----" not in base64.b64decode(
        certificate
    ):
        detail = "must contain at least one CERTIFICATE PEM block"
        causes.append(invalid("status.certificate", "<certificate data>", detail))
    return causes


def _check_signer(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    if name == LEGACY_SIGNER:
        return [invalid(path, name, "the legacy signerName is not allowed via this API version")]
    domain, slash, own = name.partition("/")
    if not slash or "/" in own:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    causes: list[Cause] = []
    for part in domain.split("."):
        causes += invalid_each(path, part, (f'validating label "{part}": {word}' for word in names.label(part)))
    if "." not in domain:
        causes.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    for part in own.split("."):
        causes += invalid_each(path, part, (f'validating label "{part}": {word}' for word in names.subdomain(part)))
    return causes


def _check_conditions(conditions: list[Json]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        path, kind, status = f"{CONDITIONS}[{index}]", condition.get("type", ""), condition.get("status", "")
        if not kind:
            causes.append(required(f"{path}.type"))
        allowed = ("True",) if kind in (*APPROVALS, "Failed") else ("False", "True", "Unknown")
        if not status:
            causes.append(required(f"{path}.status"))
        elif status not in allowed:
            causes.append(not_supported(f"{path}.status", status, allowed))
        if kind in APPROVALS and seen & (set(APPROVALS) - {kind}):
            detail = "Approved and Denied conditions are mutually exclusive"
            causes.append(invalid(CONDITIONS, kind, detail))
        if kind in seen:
            causes.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
    return causes


def check_request_update(new: Json, old: Json, subresource: str) -> list[Cause]:
    """Conditions that decide are never taken back, and only the approval adds those that approve or deny."""
    status, known = new.get("status") or {}, old.get("status") or {}
    causes: list[Cause] = []
    for kind in (*APPROVALS, "Failed"):
        mine, theirs = (of_type(s.get("conditions") or [], kind) for s in (status, known))
        if len(mine) < len(theirs):
            causes.append(forbidden(CONDITIONS, f'updates may not remove a condition of type "{kind}"'))
        elif len(mine) > len(theirs) and kind in APPROVALS and subresource != "approval":
            causes.append(forbidden(CONDITIONS, f'updates may not add a condition of type "{kind}"'))
    if status.get("certificate") != known.get("certificate"):
        if subresource != "status":
            causes.append(forbidden("status.certificate", "updates may not set certificate content"))
        elif known.get("certificate"):
            causes.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return causes
