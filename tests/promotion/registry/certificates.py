"""An authority of our own, with a certificate for a server on the loopback and one for a client."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Certificates:
    """Files in PEM format: the authority's certificate; the others with their keys, and ``stranger`` signed by itself."""

    authority: Path
    server: Path
    client: Path
    stranger: Path

    def listening(self, *, asks: bool) -> ssl.SSLContext:
        """The server's side; with ``asks`` a client must show a certificate of the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        if asks:
            context.load_verify_locations(self.authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def make(folder: Path) -> Certificates:
    """Make them all, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("authority")
    authority = _signed(name, key, name, key, authority=True)
    files = {"authority": authority.public_bytes(serialization.Encoding.PEM)}
    for who in ("server", "client", "stranger"):
        own = ec.generate_private_key(ec.SECP256R1())
        by = (_name(who), own) if who == "stranger" else (name, key)
        files[who] = _signed(_name(who), own, *by).public_bytes(serialization.Encoding.PEM) + _secret(own)
    for who, content in files.items():
        (folder / f"{who}.pem").write_bytes(content)
    return Certificates(**{who: folder / f"{who}.pem" for who in files})


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _secret(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _signed(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, signer: ec.EllipticCurvePrivateKey, *, authority: bool = False
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        # Since Python 3.13 a chain without these is not trusted (RFC 5280, 4.2.1.1 to 4.2.1.3).
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_use(authority=authority), critical=True)
    )
    return made.sign(signer, hashes.SHA256())


def _use(*, authority: bool) -> x509.KeyUsage:
    """An authority signs certificates, everybody else signs what he says."""
    nothing = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **nothing)
