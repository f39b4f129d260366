"""Throw-away certificate authorities, servers and clients for the TLS tests."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Identity:
    """A key and its certificate, also as PEM files."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    cert_file: Path
    key_file: Path


def authority(folder: Path, name: str) -> Identity:
    return _issue(folder, name, None, usage=None, names=[])


def intermediate(folder: Path, name: str, ca: Identity) -> Identity:
    return _issue(folder, name, ca, usage=None, names=[])


def server(folder: Path, name: str, ca: Identity) -> Identity:
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return _issue(folder, name, ca, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=[loopback])


def client(folder: Path, name: str, ca: Identity, *names: x509.GeneralName) -> Identity:
    return _issue(folder, name, ca, usage=ExtendedKeyUsageOID.CLIENT_AUTH, names=list(names))


def trusting(ca: Identity, identity: Identity | None = None) -> ssl.SSLContext:
    """Make a client context that trusts *ca* and shows *identity*."""
    context = ssl.create_default_context(cafile=str(ca.cert_file))
    if identity is not None:
        context.load_cert_chain(identity.cert_file, identity.key_file)
    return context


def _issue(
    folder: Path,
    name: str,
    ca: Identity | None,
    *,
    usage: x509.ObjectIdentifier | None,
    names: list[x509.GeneralName],
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if ca is None else ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key if ca is None else ca.key, hashes.SHA256())
    cert_file, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Identity(key, certificate, cert_file, key_file)
