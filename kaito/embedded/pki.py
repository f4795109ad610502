"""The embedded cluster's own certificate authority and service-account signing key.

Keys are elliptic-curve P-256 for TLS (fast to make: a cluster starts in milliseconds) and RSA-2048 for service-account
tokens (the algorithm every verifier of Kubernetes tokens knows). Private keys are written with mode 0600.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=3650)
_BACKDATED = timedelta(hours=1)  # clocks of containers and hosts differ a little

Usage = Literal["server", "client"]


class PkiError(Exception):
    """A key or certificate file that is there cannot be used; the message names it and says what to do."""


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key, both PEM; the key is unencrypted PKCS#8."""

    cert_pem: bytes
    key_pem: bytes = field(repr=False)

    def write(self, cert_path: Path, key_path: Path) -> None:
        """Writes both files, the key readable by its owner only."""
        cert_path.write_bytes(self.cert_pem)
        write_private(key_path, self.key_pem)


@dataclass(frozen=True)
class Authority:
    """A certificate authority; `ca_pem` is what clients must trust."""

    ca_pem: bytes
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, common_name: str = "kaito-embedded-ca") -> Authority:
        """A new authority that lives in memory only."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name, ())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate.public_bytes(serialization.Encoding.PEM), certificate, key)

    @classmethod
    def load_or_create(cls, folder: Path) -> Authority:
        """The authority kept in `folder` (`ca.crt`, `ca.key`), made at the first call. Raises PkiError."""
        cert_path, key_path = folder / "ca.crt", folder / "ca.key"
        if cert_path.exists() and key_path.exists():
            try:
                certificate = x509.load_pem_x509_certificate(cert_path.read_bytes())
                key = serialization.load_pem_private_key(key_path.read_bytes(), None)
            except (ValueError, TypeError) as problem:
                raise PkiError(_unusable(cert_path)) from problem
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise PkiError(_unusable(key_path))
            return cls(certificate.public_bytes(serialization.Encoding.PEM), certificate, key)
        folder.mkdir(parents=True, exist_ok=True)
        authority = cls.create()
        cert_path.write_bytes(authority.ca_pem)
        write_private(key_path, _private_pem(authority._key))
        return authority

    def issue(
        self,
        common_name: str,
        *,
        organizations: Iterable[str] = (),
        hosts: Iterable[str] = (),
        usage: Usage = "server",
    ) -> Certificate:
        """A certificate signed by this authority; `hosts` are DNS names and IP addresses, kept apart by their form.

        For clients the API server reads `common_name` as the user and `organizations` as the groups.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if usage == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name, organizations))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        names = [_general_name(host) for host in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Certificate(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


@dataclass(frozen=True)
class ServiceAccountKey:
    """The RSA key that signs service-account tokens; `private_pem` is what kube-controller-manager wants too."""

    private_pem: bytes = field(repr=False)
    key: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def create(cls) -> ServiceAccountKey:
        """A new key that lives in memory only."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(_private_pem(key), key)

    @classmethod
    def load_or_create(cls, folder: Path) -> ServiceAccountKey:
        """The key kept in `folder` as `sa.key`, made at the first call. Raises PkiError for an unusable file."""
        path = folder / "sa.key"
        if path.exists():
            try:
                key = serialization.load_pem_private_key(path.read_bytes(), None)
            except (ValueError, TypeError) as problem:
                raise PkiError(_unusable(path)) from problem
            if not isinstance(key, rsa.RSAPrivateKey):
                raise PkiError(_unusable(path))
            return cls(_private_pem(key), key)
        folder.mkdir(parents=True, exist_ok=True)
        created = cls.create()
        write_private(path, created.private_pem)
        return created


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read; an older file of that name is replaced, never widened."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str, organizations: Iterable[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _unusable(path: Path) -> str:
    return f"{path} is not a usable key or certificate: remove it (and what was signed with it) to have a new one made"
