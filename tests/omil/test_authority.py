from __future__ import annotations

import ipaddress
import ssl
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from pytest_django import Settings

from omil import authority
from omil.authority import CertificateError, Served

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
HOSTS = ["gate-server.local", "10.0.0.5"]


def openssl_accepts(served: Served, certificate: Path, *, at: datetime = NOW) -> bool:
    assert served.authority is not None
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-attime", str(int(at.timestamp()))]
    checked = subprocess.run([*command, "-CAfile", served.authority, certificate], capture_output=True, check=False)
    return checked.returncode == 0


def issued_by(folder: Path, *names: x509.GeneralName) -> Path:
    """What a thief of the authority's key would make: a certificate for other names."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = x509.load_pem_x509_certificate((folder / "authority.crt").read_bytes())
    root_key = authority._load_key(folder / "authority.key")
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    certificate = (
        x509.CertificateBuilder(root.subject, x509.Name([]), key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    path = folder / "stolen.crt"
    path.write_bytes(certificate.public_bytes(authority.PEM))
    return path


# --- The local authority ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hosts", [HOSTS, ["gate-server.local"], ["10.0.0.5"], ["fd00::5", "10.0.0.5"], ["GATE.Local"]])
def test_its_certificate_is_accepted_for_every_host(tmp_path: Path, hosts: list[str]) -> None:
    served = authority.local(tmp_path, hosts=hosts, now=NOW)
    assert openssl_accepts(served, served.certificate)
    assert all(authority.covers(served.chain()[0], host) for host in hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served.certificate, served.key)  # The key belongs to it.


DNS, IP = x509.DNSName, x509.IPAddress
BANK, LOCALHOST = DNS("bank.example"), DNS("localhost")
V4, V6 = IP(ipaddress.ip_address("10.0.0.6")), IP(ipaddress.ip_address("fd00::6"))


@pytest.mark.parametrize(
    ("hosts", "name"),
    [
        (HOSTS, BANK),
        (HOSTS, LOCALHOST),
        (HOSTS, V4),
        (HOSTS, V6),
        # A kind of name of which none is permitted is not thereby free.
        (["gate-server.local"], V4),
        (["gate-server.local"], V6),
        (["10.0.0.5"], BANK),
        (["10.0.0.5"], V6),
    ],
)
def test_its_key_can_speak_for_no_other_host(tmp_path: Path, hosts: list[str], name: x509.GeneralName) -> None:
    served = authority.local(tmp_path, hosts=hosts, now=NOW)
    assert not openssl_accepts(served, issued_by(tmp_path, name))


def test_a_thief_could_indeed_speak_for_the_hosts_themselves(tmp_path: Path) -> None:
    served = authority.local(tmp_path, hosts=HOSTS, now=NOW)
    assert openssl_accepts(served, issued_by(tmp_path, DNS("gate-server.local")))


def test_the_authority_can_make_no_further_authority(tmp_path: Path) -> None:
    root = authority.local(tmp_path, hosts=HOSTS, now=NOW).root()
    basics = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basics.critical
    assert basics.value == x509.BasicConstraints(ca=True, path_length=0)
    assert root.extensions.get_extension_for_class(x509.NameConstraints).critical


def test_the_certificate_lives_no_longer_than_browsers_take(tmp_path: Path) -> None:
    leaf = authority.local(tmp_path, hosts=HOSTS, now=NOW).chain()[0]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert leaf.not_valid_before_utc <= NOW - timedelta(minutes=5)  # A camera's clock may be behind.
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    authority.local(folder, hosts=HOSTS, now=NOW)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {
        "authority.key": 0o600,
        "server.key": 0o600,
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_start_makes_nothing_anew(tmp_path: Path) -> None:
    authority.local(tmp_path, hosts=HOSTS, now=NOW)
    before = contents(tmp_path)
    served = authority.local(tmp_path, hosts=HOSTS[::-1], now=NOW + timedelta(days=300))
    assert served.notes == ()
    assert contents(tmp_path) == before


def test_a_certificate_near_its_end_is_renewed_and_devices_go_on_trusting(tmp_path: Path) -> None:
    authority.local(tmp_path, hosts=HOSTS, now=NOW)
    before = contents(tmp_path)
    late = NOW + timedelta(days=340)
    served = authority.local(tmp_path, hosts=HOSTS, now=late)
    assert served.notes == ("Made a certificate for gate-server.local, 10.0.0.5, valid until 2033-05-12.",)
    assert contents(tmp_path)["authority.crt"] == before["authority.crt"]
    assert contents(tmp_path)["server.crt"] != before["server.crt"]
    assert openssl_accepts(served, served.certificate, at=late)


@pytest.mark.parametrize("hosts", [["gate-server.local"], [*HOSTS, "other.local"], ["10.0.0.6", "gate-server.local"]])
def test_other_hosts_get_a_new_authority_and_its_owner_is_told(tmp_path: Path, hosts: Sequence[str]) -> None:
    before = authority.local(tmp_path, hosts=HOSTS, now=NOW).root()
    served = authority.local(tmp_path, hosts=hosts, now=NOW)
    assert served.root() != before
    assert "OMIL_HOSTS has changed" in served.notes[0]
    assert openssl_accepts(served, served.certificate)


def test_an_authority_near_its_end_is_replaced_and_its_owner_is_told(tmp_path: Path) -> None:
    authority.local(tmp_path, hosts=HOSTS, now=NOW)
    late = NOW + timedelta(days=3_400)
    served = authority.local(tmp_path, hosts=HOSTS, now=late)
    assert "about to end" in served.notes[0]
    assert openssl_accepts(served, served.certificate, at=late)


@pytest.mark.parametrize("name", ["authority.crt", "authority.key", "server.crt", "server.key"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_lost_or_damaged_file_is_made_good(tmp_path: Path, name: str, content: bytes | None) -> None:
    authority.local(tmp_path, hosts=HOSTS, now=NOW)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    served = authority.local(tmp_path, hosts=HOSTS, now=NOW)
    assert openssl_accepts(served, served.certificate)


# --- A given certificate ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere() -> trustme.CA:
    return trustme.CA()


def files(folder: Path, pair: trustme.LeafCert) -> tuple[Path, Path]:
    certificate, key = folder / "full chain.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    key.write_bytes(pair.private_key_pem.bytes())
    return certificate, key


def take(certificate: Path, key: Path, hosts: Sequence[str] = ("gate.example",), now: datetime | None = None) -> Served:
    return authority.given(certificate, key, hosts=hosts, now=now or authority.utc_now())


def test_a_given_certificate_is_served_as_it_is(tmp_path: Path, elsewhere: trustme.CA) -> None:
    certificate, key = files(tmp_path, elsewhere.issue_cert("gate.example", "*.guard.example", "10.0.0.5"))
    served = take(certificate, key, ["gate.example", "north.guard.example", "10.0.0.5"])
    assert (served.certificate, served.key, served.authority) == (certificate, key, None)


def test_a_chain_keeps_its_order(tmp_path: Path, elsewhere: trustme.CA) -> None:
    between = elsewhere.create_child_ca()
    certificate, key = files(tmp_path, between.issue_cert("gate.example"))
    assert len(take(certificate, key).chain()) == 2


@pytest.mark.parametrize(
    ("host", "missing"),
    [
        ("other.example", "other.example"),
        ("deep.north.guard.example", "deep.north.guard.example"),  # A wildcard stands for one label.
        ("guard.example", "guard.example"),
        ("10.0.0.6", "10.0.0.6"),
    ],
)
def test_a_host_it_does_not_name_is_said(tmp_path: Path, elsewhere: trustme.CA, host: str, missing: str) -> None:
    certificate, key = files(tmp_path, elsewhere.issue_cert("gate.example", "*.guard.example", "10.0.0.5"))
    with pytest.raises(CertificateError, match=f"does not name {missing} of OMIL_HOSTS"):
        take(certificate, key, ["gate.example", host])


def test_another_pairs_key_is_refused(tmp_path: Path, elsewhere: trustme.CA) -> None:
    certificate, key = files(tmp_path, elsewhere.issue_cert("gate.example"))
    key.write_bytes(elsewhere.issue_cert("gate.example").private_key_pem.bytes())
    with pytest.raises(CertificateError, match="is not the key of"):
        take(certificate, key)


def test_an_expired_or_future_certificate_is_refused(tmp_path: Path, elsewhere: trustme.CA) -> None:
    certificate, key = files(tmp_path, elsewhere.issue_cert("gate.example"))
    leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    for at in (leaf.not_valid_after_utc, leaf.not_valid_before_utc - timedelta(seconds=1)):
        with pytest.raises(CertificateError, match="not today"):
            take(certificate, key, now=at)
    assert "ends on" in take(certificate, key, now=leaf.not_valid_after_utc - timedelta(days=1)).notes[0]


def test_files_that_are_no_pem_are_refused(tmp_path: Path, elsewhere: trustme.CA) -> None:
    certificate, key = files(tmp_path, elsewhere.issue_cert("gate.example"))
    with pytest.raises(CertificateError, match=r"OMIL_TLS_CERTIFICATE: .* is not a PEM certificate"):
        take(key, key)
    with pytest.raises(CertificateError, match="is not a private key"):
        take(certificate, certificate)


def test_the_settings_choose_between_given_and_local(tmp_path: Path, settings: Settings, elsewhere: trustme.CA) -> None:
    settings.OMIL_HOSTS, settings.TLS_DIR = ["gate.example"], tmp_path / "tls"
    settings.TLS_CERTIFICATE = settings.TLS_KEY = None
    assert authority.current().authority == tmp_path / "tls" / "authority.crt"
    settings.TLS_CERTIFICATE, settings.TLS_KEY = files(tmp_path, elsewhere.issue_cert("gate.example"))
    assert authority.current().authority is None
