"""A demo authority and its certificate, for `--tls` where nobody brought a certificate: phones need HTTPS for camera and position."""

import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LASTS = timedelta(days=3650)
_CERTIFICATE_LASTS = timedelta(days=397)  # the most that browsers take
_RENEW_BEFORE = timedelta(days=30)
_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DemoCertificate:
    """Where the files are. `fingerprint` is the SHA-256 of the authority, for the person who installs it on a phone."""

    certificate: Path
    key: Path
    authority: Path
    fingerprint: str


def demo_certificate(directory: Path, hosts: Sequence[str], *, now: datetime) -> DemoCertificate:
    """The certificate in `directory` for these host names and addresses; made, or made anew, where that is needed."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = DemoCertificate(
        certificate=directory / "server.crt",
        key=directory / "server.key",
        authority=directory / "authority.crt",
        fingerprint="",
    )
    authority, authority_key = _authority(directory, now)
    names = _names([*hosts, "localhost", "127.0.0.1", "::1", socket.gethostname()])
    if not _fits(files.certificate, files.key, authority, names, now):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _issue(names, key, authority, authority_key, now)
        _write(files.key, _private_bytes(key), mode=0o600)
        chain = certificate.public_bytes(serialization.Encoding.PEM) + authority.public_bytes(
            serialization.Encoding.PEM
        )
        _write(files.certificate, chain, mode=0o644)
    fingerprint = authority.fingerprint(hashes.SHA256()).hex(":").upper()
    return DemoCertificate(files.certificate, files.key, files.authority, fingerprint)


def _authority(directory: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_file, key_file = directory / "authority.crt", directory / "authority.key"
    if certificate_file.is_file() and key_file.is_file():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        kept = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if isinstance(kept, ec.EllipticCurvePrivateKey) and certificate.not_valid_after_utc > now + _CERTIFICATE_LASTS:
            return certificate, kept
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gridward demo authority")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _private_bytes(key), mode=0o600)
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return certificate, key


def _issue(
    names: list[x509.GeneralName],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gridward")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _CERTIFICATE_LASTS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in sorted(set(hosts)):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            names.append(x509.DNSName(host))
        else:
            if not address.is_unspecified:
                names.append(x509.IPAddress(address))
    return names


def _fits(
    certificate_file: Path, key_file: Path, authority: x509.Certificate, names: list[x509.GeneralName], now: datetime
) -> bool:
    if not certificate_file.is_file() or not key_file.is_file():
        return False
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    if certificate.issuer != authority.subject or certificate.not_valid_after_utc < now + _RENEW_BEFORE:
        return False
    issued_by = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return issued_by == own and set(names) <= set(held)


def _private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that at no moment has a wider mode, nor half of its content."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)
