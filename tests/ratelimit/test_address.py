"""Whose request it is (security §5.3)."""

import time
from ipaddress import IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit.address import Networks, block_of, client_address

NOBODY = Networks([])
PROXIES = Networks([ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")])


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    assert client_address("192.0.2.1", [b"198.51.100.7"], NOBODY) == "192.0.2.1"


def test_a_peer_that_is_no_proxy_is_not_believed() -> None:
    assert client_address("192.0.2.1", [b"198.51.100.7"], PROXIES) == "192.0.2.1"


def test_networks_are_false_where_nobody_is_trusted() -> None:
    assert not NOBODY
    assert PROXIES


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([], "10.0.0.1"),
        ([b""], "10.0.0.1"),
        ([b"198.51.100.7"], "198.51.100.7"),
        ([b"203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ([b"203.0.113.9, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        ([b"203.0.113.9", b"198.51.100.7", b"10.1.2.3,10.1.2.4"], "198.51.100.7"),
        ([b"10.1.2.3, 10.1.2.4"], "10.1.2.3"),
        ([b" 198.51.100.7 ,, "], "198.51.100.7"),
        ([b"198.51.100.7:4711"], "198.51.100.7"),
        ([b"[2001:db8:2::7]:4711"], "2001:db8:2::7"),
        ([b"[2001:db8:2::7]"], "2001:db8:2::7"),
        ([b"2001:DB8:2:0:0:0:0:7"], "2001:db8:2::7"),
        ([b"198.51.100.7, 2001:db8:1::1"], "198.51.100.7"),
        ([b"::ffff:198.51.100.7"], "198.51.100.7"),
        ([b"198.51.100.7, ::ffff:10.9.9.9"], "198.51.100.7"),
        ([b"fe80::1%eth0"], "fe80::1"),
        ([b"198.51.100.7, unknown"], "10.0.0.1"),
        ([b"198.51.100.7, unknown, 10.1.2.3"], "10.1.2.3"),
        ([b"198.51.100.7, _hidden"], "10.0.0.1"),
        ([b"198.51.100.7, 010.1.2.3"], "10.0.0.1"),
        ([b"198.51.100.7\x00"], "10.0.0.1"),
        ([b"\xff\xfe"], "10.0.0.1"),
    ],
)
def test_the_chain_is_walked_from_the_right_to_the_first_untrusted_address(lines: list[bytes], client: str) -> None:
    assert client_address("10.0.0.1", lines, PROXIES) == client


def test_a_peer_dressed_as_ipv6_is_known_all_the_same() -> None:
    assert client_address("::ffff:10.0.0.1", [b"198.51.100.7"], PROXIES) == "198.51.100.7"


def test_a_local_socket_is_a_proxy_where_proxies_are_trusted() -> None:
    assert client_address("", [b"198.51.100.7"], PROXIES) == "198.51.100.7"
    assert client_address("", [b"garbage!"], PROXIES) == ""


def test_a_list_of_8_kb_is_read_within_a_few_milliseconds() -> None:
    line = b"10.1.2.3," * 900
    began = time.perf_counter()

    client = client_address("10.0.0.1", [line], PROXIES)

    assert client == "10.1.2.3"
    assert time.perf_counter() - began < 0.1


@given(left=st.lists(st.binary(max_size=60), max_size=4))
def test_what_stands_left_of_the_client_changes_nothing(left: list[bytes]) -> None:
    lines = [*left, b"198.51.100.7, 10.1.2.3"]

    assert client_address("10.0.0.1", lines, PROXIES) == "198.51.100.7"


@given(left=st.binary(max_size=200))
def test_what_the_client_wrote_in_the_same_line_changes_nothing(left: bytes) -> None:
    assert client_address("10.0.0.1", [left + b", 198.51.100.7"], PROXIES) == "198.51.100.7"


@given(peer=st.text(max_size=40), lines=st.lists(st.binary(max_size=300), max_size=5))
def test_nothing_that_is_sent_makes_it_fail(peer: str, lines: list[bytes]) -> None:
    assert isinstance(client_address(peer, lines, PROXIES), str)
    assert isinstance(client_address("10.0.0.1", lines, PROXIES), str)


@given(address=st.ip_addresses(v=4))
def test_an_ipv4_address_is_a_block_of_its_own(address: object) -> None:
    assert block_of(str(address)) == str(address)
    assert block_of(f"::ffff:{address}") == str(address)


@given(address=st.ip_addresses(v=6, network="2001:db8::/32"), host=st.integers(0, 2**64 - 1))
def test_an_ipv6_client_that_rotates_in_its_64_stays_in_its_block(address: IPv6Address, host: int) -> None:
    network = IPv6Network((int(address) >> 64 << 64, 64))

    assert block_of(str(address)) == str(network)
    assert block_of(str(network[host])) == str(network)


def test_a_zone_is_no_part_of_a_block() -> None:
    assert block_of("fe80::1%eth0") == "fe80::/64"


def test_a_block_is_the_block_of_its_own_address() -> None:
    assert block_of("2001:db8:1:2::") == "2001:db8:1:2::/64"


@given(text=st.text(max_size=60))
def test_every_text_has_a_block(text: str) -> None:
    assert block_of(text)


def test_what_has_no_address_is_this_machine() -> None:
    assert block_of("") == "127.0.0.1"
