"""What a worker judges a request by, as it travels through Redis."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.registry.state import NOWHERE, TokenState, networks

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.builds(
        TokenState,
        version=st.integers(0, 2**53),
        jti=TEXTS,
        kind=st.sampled_from(["client", "operator"]),
        habilitation_id=st.none() | TEXTS,
        siret=st.none() | TEXTS,
        intitule=TEXTS,
        scopes=st.frozensets(TEXTS),
        expires_at=st.integers(0, 2**53),
        revoked_at=st.none() | st.integers(0, 2**53),
        allowed_networks=st.lists(
            st.ip_addresses().map(ip_network) | st.just(ip_network("2001:db8::/48")) | st.just(ip_network("10.0.0.0/8"))
        ).map(lambda found: networks(str(network) for network in found)),
        rate_limit=st.none() | st.integers(1, 2**31),
        mcp=st.booleans(),
    )
)
def test_a_state_comes_back_as_it_was_packed(state: TokenState) -> None:
    assert TokenState.unpack(state.pack()) == state


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], ()),
        (["192.0.2.7"], ("192.0.2.7/32",)),
        (["192.0.2.7/24", " 2001:db8::1 "], ("192.0.2.0/24", "2001:db8::1/128")),
        (["nonsense", "192.0.2.7"], ("192.0.2.7/32",)),
        (["::ffff:192.0.2.0/120"], ("192.0.2.0/24",)),
    ],
)
def test_networks_are_read_with_forgiveness(texts: list[str], found: tuple[str, ...]) -> None:
    assert tuple(map(str, networks(texts))) == found


def test_a_list_of_which_nothing_can_be_read_opens_nothing() -> None:
    assert networks(["nonsense", "300.1.2.3"]) == (NOWHERE,)
