"""The certificate the site is served with: a given one, or one from a local authority that may speak for nothing else.

`manage.py start` prepares it, `manage.py web` serves with it, `manage.py trust` hands the authority's certificate out.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

AUTHORITY_LIFE = timedelta(days=3_650)
LEAF_LIFE = timedelta(days=397)  # Browsers refuse a longer one.
RENEW_WITH = timedelta(days=60)
PEM = serialization.Encoding.PEM
CLOCK_SKEW = timedelta(hours=1)  # A camera's clock may be behind ours.


class CertificateError(Exception):
    """The certificate cannot be served; the message says why."""


@dataclass(frozen=True, slots=True)
class Served:
    """The files to serve with; authority is None for a given certificate, whose authority devices know or not."""

    certificate: Path
    key: Path
    authority: Path | None
    notes: tuple[str, ...] = ()  # What its owner should know about what was done.

    def chain(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates(self.certificate.read_bytes())

    def root(self) -> x509.Certificate:
        """The local authority's certificate, which devices are to trust."""
        assert self.authority is not None, "a given certificate has its authority elsewhere"
        return x509.load_pem_x509_certificate(self.authority.read_bytes())


def current() -> Served:
    """The certificate that the settings ask for; a local one is made or renewed where that is due."""
    if settings.TLS_CERTIFICATE and settings.TLS_KEY:
        return given(settings.TLS_CERTIFICATE, settings.TLS_KEY, hosts=settings.OMIL_HOSTS, now=utc_now())
    return local(settings.TLS_DIR, hosts=settings.OMIL_HOSTS, now=utc_now())


_leaf: x509.Certificate | None = None  # Which this process serves with, whatever lies in the files by now.


def serving(served: Served) -> None:
    """Notes with what this process serves from now on."""
    global _leaf
    _leaf = served.chain()[0]


def days_left() -> int | None:
    """Of the certificate that this process serves with; None where it serves without."""
    return (_leaf.not_valid_after_utc - utc_now()).days if _leaf else None


def given(certificate: Path, key: Path, *, hosts: Sequence[str], now: datetime) -> Served:
    """A certificate of the owner's, checked so that a wrong one stops the start and not each browser."""
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except ValueError as error:
        raise CertificateError(f"OMIL_TLS_CERTIFICATE: {certificate} is not a PEM certificate ({error}).") from None
    leaf = chain[0]
    if _public_bytes(_load_key(key)) != leaf.public_key().public_bytes(*_PUBLIC):
        raise CertificateError(f"OMIL_TLS_KEY: {key} is not the key of {certificate}.")
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        raise CertificateError(
            f"OMIL_TLS_CERTIFICATE: {certificate} is valid from {leaf.not_valid_before_utc:%Y-%m-%d} "
            f"to {leaf.not_valid_after_utc:%Y-%m-%d}, not today."
        )
    uncovered = [host for host in hosts if not covers(leaf, host)]
    if uncovered:
        missing = ", ".join(uncovered)
        raise CertificateError(f"OMIL_TLS_CERTIFICATE: {certificate} does not name {missing} of OMIL_HOSTS.")
    is_short = leaf.not_valid_after_utc - now < RENEW_WITH
    notes = (f"The certificate ends on {leaf.not_valid_after_utc:%Y-%m-%d}.",) if is_short else ()
    return Served(certificate, key, None, notes)


def local(folder: Path, *, hosts: Sequence[str], now: datetime) -> Served:
    """A certificate of the local authority in this folder, made or renewed where that is due."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    served = Served(folder / "server.crt", folder / "server.key", folder / "authority.crt")
    notes = []
    root = _kept(folder / "authority.crt", folder / "authority.key")
    is_old = root is not None and root.not_valid_after_utc - now < LEAF_LIFE
    if root is None or is_old or not _is_for(root, hosts):
        if root is not None:
            reason = "The authority was about to end" if is_old else "OMIL_HOSTS has changed"
            notes.append(f"{reason}: there is a new one, which every device must trust once more.")
        root = _make_authority(folder, hosts, now)
    leaf = _kept(served.certificate, served.key)
    if leaf is None or not _is_from(leaf, root) or leaf.not_valid_after_utc - now < RENEW_WITH:
        leaf = _make_leaf(folder, root, hosts, now)
        notes.append(f"Made a certificate for {', '.join(hosts)}, valid until {leaf.not_valid_after_utc:%Y-%m-%d}.")
    return Served(served.certificate, served.key, served.authority, tuple(notes))


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 fingerprint as browsers and telephones show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def covers(leaf: x509.Certificate, host: str) -> bool:
    """Whether a browser takes this certificate for this host."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    address = _address(host)
    if address:
        return address in names.get_values_for_type(x509.IPAddress)
    host = host.lower()
    wildcard = f"*.{host.partition('.')[2]}"
    return any(name.lower() in {host, wildcard} for name in names.get_values_for_type(x509.DNSName))


# --- The local authority ---------------------------------------------------------------------------------------------


def _make_authority(folder: Path, hosts: Sequence[str], now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Omil authority of {hosts[0]}, {now:%Y-%m-%d}")
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_constraints(hosts), critical=True)
        .sign(key, hashes.SHA256())
    )
    _keep(folder / "authority", key, certificate)
    return certificate


def _make_leaf(folder: Path, root: x509.Certificate, hosts: Sequence[str], now: datetime) -> x509.Certificate:
    root_key = _load_key(folder / "authority.key")
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        # The name holds a space, so that nobody takes it for a host's and holds it against the constraints.
        x509.CertificateBuilder(root.subject, _name("Omil server"), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now - CLOCK_SKEW + LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    _keep(folder / "server", key, certificate)
    return certificate


def _constraints(hosts: Sequence[str]) -> x509.NameConstraints:
    """Permits these hosts only; a kind of name of which none is permitted is excluded, for silence would permit all."""
    addresses = [address for host in hosts if (address := _address(host))]
    permitted: list[x509.GeneralName] = [x509.DNSName(host.lower()) for host in hosts if not _address(host)]
    excluded: list[x509.GeneralName] = [] if permitted else [x509.DNSName("")]
    permitted += [x509.IPAddress(ipaddress.ip_network(address)) for address in addresses]
    if not addresses:
        excluded += [x509.IPAddress(ipaddress.ip_network(everything)) for everything in ("0.0.0.0/0", "::/0")]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded or None)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    longest = 64  # Letters; the standard allows no more.
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Omil"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:longest]),
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    address = _address(host)
    return x509.IPAddress(address) if address else x509.DNSName(host.lower())


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_for(root: x509.Certificate, hosts: Sequence[str]) -> bool:
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints).value
    return set(constraints.permitted_subtrees or ()) == set(_constraints(hosts).permitted_subtrees or ())


def _is_from(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


# --- Files -----------------------------------------------------------------------------------------------------------

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _public_bytes(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(*_PUBLIC)


def _load_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{path} is not a private key in PEM without a password ({error}).") from None


def _kept(certificate: Path, key: Path) -> x509.Certificate | None:
    """The kept certificate, or None where it or its key is missing, damaged or of another pair."""
    with contextlib.suppress(FileNotFoundError, ValueError, CertificateError):
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        if _public_bytes(_load_key(key)) == loaded.public_key().public_bytes(*_PUBLIC):
            return loaded
    return None


def _keep(stem: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    """Key first: a crash between the two leaves a pair that does not match, which is made anew at the next start."""
    pem = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(stem.with_suffix(".key"), pem, 0o600)
    _write(stem.with_suffix(".crt"), certificate.public_bytes(PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.replace(path)


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
