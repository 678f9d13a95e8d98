"""A client that the public service has, unchanged, pointed at a running gateway: PyPI's `api-entreprise`."""

import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from operator import methodcaller

import pytest
import pytest_asyncio
from api_entreprise import (
    ApiEntreprise,
    ApiEntrepriseClientError,
    ApiError,
    CertificationQualibat,
    CertificationRgeHolder,
    ChiffreDaffairesHolder,
    Config,
    ContextInfo,
    DonneesEtablissement,
    Http429Error,
    NumeroTvaHolder,
)
from api_entreprise.models.healthcheck_status import HealthcheckStatus, StatusEnum

from providers.simulator.faults import BY_NAME
from providers.simulator.identifiers import siret_of
from providers.simulator.world import SHOWCASE, World
from tests.e2e.office import Office, open_office
from tests.e2e.running import RECIPIENT, Served, in_one_minute
from tests.e2e.simulated import providers

SETTINGS = {
    "OCTROI_UPSTREAM__MAINTENANCE": "true",
    "OCTROI_PROVIDERS__DGFIP__MAINTENANCE": "[]",
    "OCTROI_PROVIDERS__CNETP__MAINTENANCE": '[{"start": "00:00", "end": "23:59:59"}]',
    "OCTROI_RATELIMIT__GROUPS__JSON_RESOURCES_ENTREPRISE": "100000",
    "OCTROI_RATELIMIT__GROUPS__LOW_LATENCY_DOCUMENTS": "100000",
}

OF_ESTABLISHMENTS = (
    "donnees_etablissement",
    "donnees_etablissement_diffusibles",
    "chiffre_d_affaires",
    "certifications_rge",
    "certification_qualibat",
)
ABSENT = dict.fromkeys(OF_ESTABLISHMENTS, SHOWCASE.siret_absent)
ABSENT["numero_tva_intercommunautaire"] = SHOWCASE.siret_absent[:9]


def client(url: str, token: str) -> ApiEntreprise:
    trace = ContextInfo(context="Test", object="Test", recipient=RECIPIENT)
    return ApiEntreprise(Config(base_url=url, token=token, default_context_info=trace))


@pytest_asyncio.fixture(scope="module")
async def office(gateway: Served) -> AsyncIterator[Office]:
    async with open_office(gateway) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module")
async def api(office: Office) -> ApiEntreprise:
    return client(office.url, (await office.caller()).token)


@pytest.mark.parametrize("name", ["donnees_etablissement", "donnees_etablissement_diffusibles"])
def test_an_establishment_is_read(api: ApiEntreprise, name: str) -> None:
    found = methodcaller(name, SHOWCASE.siret)(api)

    assert isinstance(found, DonneesEtablissement)
    assert found.siret == SHOWCASE.siret
    assert found.unite_legale.personne_morale_attributs.raison_sociale == "VELMORINE ELECTRICITE"
    assert found.adresse_postale_legere.endswith("FRANCE")


def test_every_documented_establishment_is_read_or_is_none(api: ApiEntreprise) -> None:
    sirets = [place.siret for company in World.load().companies for place in company.etablissements]

    found = {siret: api.donnees_etablissement(siret) for siret in sirets}

    assert {siret for siret, place in found.items() if place is not None and place.siret != siret} == set()
    assert sum(place is not None for place in found.values()) > len(sirets) * 0.9


def test_a_vat_number_is_read(api: ApiEntreprise) -> None:
    found = api.numero_tva_intercommunautaire(SHOWCASE.siren)

    assert isinstance(found, NumeroTvaHolder)
    assert found.tva_number.endswith(SHOWCASE.siren)


def test_turnovers_are_read(api: ApiEntreprise) -> None:
    found = api.chiffre_d_affaires(SHOWCASE.siret)

    assert [type(one) for one in found] == [ChiffreDaffairesHolder] * 3
    assert all(one.data.chiffre_affaires > 0 for one in found)


def test_certificates_of_rge_are_read(api: ApiEntreprise) -> None:
    found = api.certifications_rge(SHOWCASE.siret)

    assert found
    assert {type(one) for one in found} == {CertificationRgeHolder}
    assert all(one.data.qualification.code for one in found)


def test_a_certificate_of_qualibat_is_read_with_the_seconds_its_link_lives(api: ApiEntreprise) -> None:
    found = api.certification_qualibat(SHOWCASE.siret)

    assert isinstance(found, CertificationQualibat)
    assert found.document_url.startswith("http")
    assert found.expires_in == 86400


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_absent_is_none(api: ApiEntreprise, name: str) -> None:
    assert methodcaller(name, ABSENT[name])(api) is None


async def test_a_limit_that_is_met_is_the_client_s_own_exception_with_the_seconds_to_wait(office: Office) -> None:
    limited = client(office.url, (await office.caller(rate_limit=1)).token)
    await in_one_minute(6)
    limited.donnees_etablissement(SHOWCASE.siret)

    with pytest.raises(Http429Error) as refused:
        limited.donnees_etablissement(SHOWCASE.siret)

    assert refused.value.delay == pytest.approx(60 - time.time() % 60, abs=1.5)
    assert refused.value.delay >= 1


@pytest.mark.parametrize(
    ("scopes", "siret", "code"),
    [
        ("exercices", SHOWCASE.siret, "00100"),
        ("", "12345678901234", "00302"),
        ("", siret_of(BY_NAME["http_503"].siren, "0001"), "01001"),
        ("", siret_of(BY_NAME["garbage"].siren, "0001"), "01999"),
    ],
    ids=["no_right", "no_siret", "failure", "unreadable"],
)
async def test_any_other_refusal_or_failure_is_the_client_s_error_with_our_words(
    office: Office, scopes: str, siret: str, code: str
) -> None:
    asking = client(office.url, (await office.caller(*scopes.split())).token)

    with pytest.raises(ApiError) as refused:
        asking.donnees_etablissement(siret)

    assert [error.code for error in refused.value.errors] == [code]
    assert all(error.title and error.detail for error in refused.value.errors)


def test_a_token_that_is_none_is_the_client_s_error(gateway: Served) -> None:
    with pytest.raises(ApiError) as refused:
        client(gateway.url, "none").donnees_etablissement(SHOWCASE.siret)

    assert refused.value.errors[0].code == "00101"


def test_a_gateway_that_is_not_there_is_the_client_s_error_too() -> None:
    with pytest.raises(ApiEntrepriseClientError):
        client("http://127.0.0.1:9", "none").donnees_etablissement(SHOWCASE.siret)


class TestPings:
    def test_a_provider_that_answers_is_ok(self, api: ApiEntreprise) -> None:
        found = api.healthcheck_fournisseur("insee/sirene")

        assert isinstance(found, HealthcheckStatus)
        assert found.status is StatusEnum.ok
        assert isinstance(found.last_update, datetime)
        assert found.last_update.utcoffset() in (timedelta(hours=1), timedelta(hours=2))

    async def test_a_provider_that_fails_is_a_bad_gateway(self, api: ApiEntreprise, simulator: Served) -> None:
        async with providers(simulator, faults={"opqibi": "http_500"}):
            found = api.healthcheck_fournisseur("opqibi/certification_ingenierie")

        assert found.status is StatusEnum.bad_gateway

    def test_a_provider_of_which_nothing_is_known_is_unknown(self, api: ApiEntreprise) -> None:
        found = api.healthcheck_fournisseur("cibtp/attestation_cotisations_conges_payes_chomage_intemperies")

        assert found.status is StatusEnum.unknown

    def test_a_provider_in_maintenance_is_told_in_a_word_that_the_client_knows(self, api: ApiEntreprise) -> None:
        found = api.healthcheck_fournisseur("cnetp/attestation_cotisations_conges_payes_chomage_intemperies")

        assert found.status is StatusEnum.unknown
