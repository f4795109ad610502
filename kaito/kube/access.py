"""Where an API server is and how to prove who we are: from a kubeconfig, from inside a pod, or given directly."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Access:
    """The address of an API server with credentials."""

    server: str
    """Base URL, such as `https://127.0.0.1:6443`."""
    ssl_context: ssl.SSLContext | None = None
    """Trust and client certificate; None for plain HTTP."""
    authorization: str | None = field(default=None, repr=False)
    """The `Authorization` header, such as `Bearer …`."""
    refresh: Callable[[], Awaitable[str | None]] | None = field(default=None, repr=False)
    """Gives a fresh `Authorization` header where credentials expire (exec plugins, cloud tokens)."""
    namespace: str = "default"
    """The namespace of the kubeconfig's context."""


def trust(ca_pem: bytes | str, *, client_certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """A TLS context that trusts one certificate authority, with a client certificate (file, key file) when given."""
    context = ssl.create_default_context(cadata=ca_pem.decode() if isinstance(ca_pem, bytes) else ca_pem)
    if client_certificate:
        context.load_cert_chain(*client_certificate)
    return context


async def from_kubeconfig(path: Path | str | None = None, *, context: str | None = None) -> Access:
    """Read a kubeconfig (None: `$KUBECONFIG`, `~/.kube/config`), exec plugins included.

    Raises ValueError with one sentence when there is none, or when it cannot be used.
    """
    # 1.4 s of imports (the official client's models); only tiers that bring a kubeconfig of their own pay for it.
    from kubernetes.aio import client
    from kubernetes.aio import config as untyped_config
    from kubernetes.aio.config.config_exception import ConfigException

    config: Any = untyped_config
    configuration: Any = client.Configuration()
    try:
        await config.load_kube_config(
            config_file=str(path) if path else None, context=context, client_configuration=configuration
        )
    except (ConfigException, OSError) as error:
        raise ValueError(f"kubeconfig {path or '(default)'} cannot be used: {error}") from error
    ssl_context: ssl.SSLContext | None = None
    if configuration.host.startswith("https"):
        ssl_context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            ssl_context.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:
            ssl_context.check_hostname = False
            ssl_context.verify_mode = ssl.CERT_NONE

    renews = bool(configuration.refresh_api_key_hook)

    async def refresh() -> str | None:
        if renews:
            await configuration.refresh_api_key_hook(configuration)
        token = await configuration.get_api_key_with_prefix("BearerToken") or configuration.get_basic_auth_token()
        return str(token) if token else None

    _, active = config.list_kube_config_contexts(config_file=str(path) if path else None)
    chosen = active["context"] if active and context in (None, active["name"]) else {}
    return Access(
        server=configuration.host,
        ssl_context=ssl_context,
        authorization=await refresh(),
        refresh=refresh if renews else None,
        namespace=chosen.get("namespace") or "default",
    )
