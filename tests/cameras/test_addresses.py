"""Which addresses the server may pull from."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from cameras.addresses import AddressRefused, parse_allowed, pinned, resolve, why_refused

NOTHING = parse_allowed(())


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.168.1.20", None),  # Private networks are where cameras are.
        ("10.0.0.9", None),
        ("172.16.5.5", None),
        ("fd12::9", None),
        ("203.0.113.9", None),
        ("2001:db8::9", None),
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("169.254.0.1", "link-local"),
        ("fe80::1", "link-local"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        # IPv4 in the clothes of IPv6.
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:192.168.1.20", None),
        ("::127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:7f00:1::", "loopback"),
    ],
)
def test_each_kind_of_address(address: str, why: str | None) -> None:
    assert why_refused(ipaddress.ip_address(address)) == why


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "017700000001", "localhost", "::1"])
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        resolve(host, 80, NOTHING)
    assert refusal.value.code == "address_not_allowed"


@pytest.mark.parametrize("allowed", ["127.0.0.0/8", "127.0.0.1", "localhost", "LOCALHOST"])
def test_a_setting_allows_networks_addresses_and_hosts(allowed: str) -> None:
    found = resolve("localhost", 80, parse_allowed(["10.0.0.0/8", allowed]))
    assert ipaddress.ip_address("127.0.0.1") in found


def test_a_host_that_is_allowed_by_name_is_not_allowed_by_number() -> None:
    with pytest.raises(AddressRefused):
        resolve("127.0.0.1", 80, parse_allowed(["localhost"]))


def test_what_is_no_host_is_no_setting() -> None:
    for word in ("10.0.0.0/33", "a b", "http://host", "1.2.3"):
        with pytest.raises(ValueError, match="is no host"):
            parse_allowed([word])


def test_an_unknown_host_is_a_fault_of_dns() -> None:
    with pytest.raises(AddressRefused) as refusal:
        resolve("no-such-camera.invalid", 80, NOTHING)
    assert refusal.value.code == "dns"


@pytest.mark.parametrize("host", ["a" * 300, "x..y", "\N{SNOWMAN}" * 80])
def test_what_cannot_be_a_host_is_a_fault_of_dns(host: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        resolve(host, 80, NOTHING)
    assert refusal.value.code == "dns"


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("rtsp://user:p%40@camera.local:554/1?a=b", "10.0.0.9", "rtsp://user:p%40@10.0.0.9:554/1?a=b"),
        ("rtsp://camera.local/1", "fd12::9", "rtsp://[fd12::9]/1"),
        ("rtsp://[fd12::1]:8554/", "fd12::9", "rtsp://[fd12::9]:8554/"),
    ],
)
def test_a_checked_address_takes_the_hosts_place(url: str, address: str, expected: str) -> None:
    assert pinned(url, ipaddress.ip_address(address)) == expected


def test_this_machine_is_refused_by_whatever_address_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cameras.addresses.why_refused", lambda _address: None)  # As of one in a private network.
    with pytest.raises(AddressRefused) as refusal:
        resolve("127.0.0.1", 80, NOTHING)
    assert str(refusal.value.detail) == "127.0.0.1 (this machine)"
    assert resolve("192.0.2.1", 80, NOTHING)


def test_a_machine_without_ipv6_takes_what_it_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnlyOld(socket.socket):
        def __init__(self, family: int = -1, *more: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(97, "Address family not supported by protocol")
            super().__init__(family, *more)

    monkeypatch.setattr("cameras.addresses.socket.socket", OnlyOld)
    assert resolve("2001:db8::1", 80, NOTHING)
