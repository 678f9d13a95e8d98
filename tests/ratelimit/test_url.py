"""What a Redis URL may say."""

import pytest

from ratelimit.url import Address, Target, WrongRedisUrl


def test_a_plain_url_names_one_server() -> None:
    target = Target.parse("redis://alice:s%40cret@redis.example:6380/3")

    assert target.kind == "single"
    assert target.addresses == (Address("redis.example", 6380),)
    assert (target.username, target.password, target.db) == ("alice", "s@cret", 3)


def test_a_password_alone_needs_no_user() -> None:
    target = Target.parse("redis://:secret@localhost")

    assert (target.username, target.password) == (None, "secret")
    assert target.addresses == (Address("localhost", 6379),)


def test_a_sentinel_url_names_its_service_and_its_database() -> None:
    target = Target.parse("redis+sentinel://:secret@one:26380,two/octroi?db=2&sentinel_password=other")

    assert target.kind == "sentinel"
    assert target.addresses == (Address("one", 26380), Address("two", 26379))
    assert (target.service, target.db, target.sentinel_password) == ("octroi", 2, "other")


def test_a_cluster_url_names_several_nodes() -> None:
    target = Target.parse("redis+cluster://[2001:db8::1]:7000,two")

    assert target.kind == "cluster"
    assert target.addresses == (Address("2001:db8::1", 7000), Address("two", 6379))


def test_a_unix_socket_has_a_path() -> None:
    target = Target.parse("unix:///run/redis/redis.sock?db=1")

    assert target.addresses[0].is_local
    assert str(target.addresses[0]) == "/run/redis/redis.sock"
    assert target.db == 1


def test_tls_verifies_unless_told_not_to() -> None:
    strict = Target.parse("rediss://h")
    lax = Target.parse("rediss://h?ssl_cert_reqs=none")

    assert strict.tls is not None
    assert strict.tls.verify
    assert strict.tls.context().check_hostname
    assert lax.tls is not None
    assert not lax.tls.context().check_hostname
    assert lax.tls.options()["ssl_cert_reqs"] == "none"


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis://one,two",
        "redis+sentinel://h",
        "redis+cluster://h/1",
        "redis://h/a",
        "redis://h/1/2",
        "redis://h:port",
        "redis://h?tls=yes",
        "redis://[::1",
    ],
)
def test_a_url_that_cannot_be_understood_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(WrongRedisUrl) as refused:
        Target.parse(url.replace("://", "://user:hunter2@"))

    assert "hunter2" not in str(refused.value)


def test_a_target_never_shows_its_passwords() -> None:
    target = Target.parse("redis+sentinel://u:hunter2@h/octroi?sentinel_password=hunter2")

    assert "hunter2" not in repr(target)
