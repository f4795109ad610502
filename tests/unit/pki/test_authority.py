"""The certificate authority and the service-account key."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from kaito.embedded.pki import Authority, PkiError, ServiceAccountKey


def test_a_second_start_finds_the_authority_of_the_first(tmp_path: Path) -> None:
    first, second = Authority.load_or_create(tmp_path), Authority.load_or_create(tmp_path)
    assert first.ca_pem == second.ca_pem
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600


def test_a_client_certificate_names_its_user_and_groups() -> None:
    issued = Authority.create().issue("admin", organizations=["system:masters"], usage="client")
    subject = x509.load_pem_x509_certificate(issued.cert_pem).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "admin"
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["system:masters"]


def test_hosts_are_addresses_or_names_by_their_form(tmp_path: Path) -> None:
    authority = Authority.create()
    issued = authority.issue("server", hosts=["127.0.0.1", "localhost"])
    names = x509.load_pem_x509_certificate(issued.cert_pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    issued.write(tmp_path / "crt", tmp_path / "key")
    context = ssl.create_default_context(cadata=authority.ca_pem.decode())
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")


def test_a_broken_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sa.key").write_text("nonsense")
    with pytest.raises(PkiError, match="remove it"):
        ServiceAccountKey.load_or_create(tmp_path)
    Authority.load_or_create(tmp_path)
    (tmp_path / "ca.crt").write_text("nonsense")
    with pytest.raises(PkiError, match="not a usable"):
        Authority.load_or_create(tmp_path)


def test_the_signing_key_is_kept(tmp_path: Path) -> None:
    assert (
        ServiceAccountKey.load_or_create(tmp_path).private_pem == ServiceAccountKey.load_or_create(tmp_path).private_pem
    )


def test_no_private_key_is_in_a_representation() -> None:
    issued, signing = Authority.create().issue("server"), ServiceAccountKey.create()
    assert "PRIVATE KEY" in issued.key_pem.decode()
    assert "PRIVATE KEY" not in repr(issued) + repr(signing)
