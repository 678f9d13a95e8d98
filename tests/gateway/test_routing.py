"""Paths that lead to an endpoint, and what its answers tell of its end and of its next version."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.routing import Kind, Router, subject_of
from providers import ENDPOINTS
from providers.djepva.associations import associations_open_data_v4, associations_v4
from providers.insee.unites_legales import unites_legales_v3, unites_legales_v4

BASE = "https://octroi.test"
UNITE = b"/v3/insee/sirene/unites_legales/000010017"
DEPRECATED_ON = b"@1777334400"
"""2026-04-28, at midnight UTC."""


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(ENDPOINTS, "salt", BASE)


@pytest.mark.parametrize(
    ("home", "endpoint"),
    [("associations", associations_v4), ("associations/open_data", associations_open_data_v4)],
)
def test_an_endpoint_answers_at_its_aliases_with_the_same_kept_answer(router: Router, home: str, endpoint) -> None:
    paths = [f"/v4/{owner}/api-association/{home}/W999000001" for owner in ("djepva", "ministere_interieur")]

    first, other = [router.find(path.encode()) for path in paths]

    assert first.endpoint is other.endpoint is endpoint
    assert first == other
    assert other.texts == {"siren_or_rna": "W999000001"}


def test_a_deprecated_version_says_so_and_names_the_next(router: Router) -> None:
    notices = dict(router.find(UNITE).notices)

    assert notices == {
        b"deprecation": DEPRECATED_ON,
        b"link": b'<https://octroi.test/v4/insee/sirene/unites_legales/000010017>; rel="successor-version"',
    }


def test_what_a_caller_writes_in_a_path_cannot_leave_its_link(router: Router) -> None:
    found = router.find(b'/v3/insee/sirene/unites_legales/>;rel="x",<y%0d%0a')

    assert dict(found.notices)[b"link"].startswith(
        b"<https://octroi.test/v4/insee/sirene/unites_legales/%3E%3Brel%3D%22x%22%2C%3Cy%0D%0A>;"
    )


def test_a_current_version_says_nothing(router: Router) -> None:
    assert router.find(UNITE.replace(b"v3", b"v4")).notices == ()


def test_a_deprecated_endpoint_without_a_next_version_names_none(router: Router) -> None:
    notices = dict(router.find(b"/v3/cma_france/rnm/unites_legales/000010017").notices)

    assert notices == {b"deprecation": DEPRECATED_ON}


def test_the_day_of_the_end_is_told_where_it_is_announced() -> None:
    closing = replace(unites_legales_v3, sunset=date(2027, 1, 31))
    router = Router((closing, unites_legales_v4), "salt", BASE)

    assert dict(router.find(UNITE).notices)[b"sunset"] == b"Sun, 31 Jan 2027 00:00:00 GMT"


def test_an_alias_is_no_other_version(router: Router) -> None:
    found = router.find(b"/v3/ministere_interieur/api-association/associations/W999000001")

    assert found.kind is Kind.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    ("texts", "subject"),
    [
        ({"siren": "000010017"}, ("000010017", None, None)),
        ({"siret": "00001001700010"}, ("000010017", "00001001700010", None)),
        ({"siren_or_rna": "W000020016"}, (None, None, "W000020016")),
        ({"siren_or_siret_or_rna": "00001001700010"}, ("000010017", "00001001700010", None)),
        ({"siret_or_eori": "FR00001001700010"}, ("000010017", "00001001700010", None)),
        ({"siret_or_eori": "ESX123"}, (None, None, None)),
        ({"siren": "000010017", "year": "2024"}, ("000010017", None, None)),
    ],
)
def test_a_path_tells_about_whom_it_asks(
    texts: dict[str, str], subject: tuple[str | None, str | None, str | None]
) -> None:
    assert subject_of(texts) == subject
