"""Carte professionnelle: the card of a public works company, as a PDF."""

from pydantic import Field

from config.quotas import LOW_LATENCY_DOCUMENTS
from providers.base import (
    DOCUMENT_SECONDS,
    PERIMETER,
    Call,
    Contract,
    Document,
    Empty,
    Endpoint,
    Failure,
    Get,
    Key,
    Provider,
    Single,
)
from providers.base.pdf import is_another_file

FNTP = Provider(
    slug="fntp",
    code="12",
    name="FNTP",
    base_url="https://fntp.example",
    authentication=Key(in_query={"token": "api_key"}),
    headers=lambda call: {"content-type": "application/pdf"},
)


class Carte(Contract):
    """The card: a link, for a day."""

    document_url: str = Field(
        title="Lien vers la carte professionnelle (PDF)",
        examples=["https://octroi.example/proxy/files/…/carte_professionnelle_fntp.pdf"],
    )
    expires_in: int = Field(
        title="Durée de vie du lien, en secondes",
        description="Durée technique, sans rapport avec la validité de la carte.",
        examples=[DOCUMENT_SECONDS],
    )


CarteProfessionnelle = Single[Carte, Empty, Empty]


def normalise(_: bytes, call: Call) -> CarteProfessionnelle:
    """The link."""
    data = Carte(document_url=call.document or "", expires_in=DOCUMENT_SECONDS)
    return CarteProfessionnelle(data=data, links=Empty(), meta=Empty())


carte_professionnelle_v3 = Endpoint(
    operation_id="api_entreprise_v3_fntp_carte_professionnelle_travaux_publics",
    path="/v3/fntp/unites_legales/{siren}/carte_professionnelle_travaux_publics",
    title="Carte professionnelle de travaux publics",
    description="Carte professionnelle d'entrepreneur de travaux publics, délivrée par la FNTP à une entreprise en "
    "règle de ses obligations sociales, administratives et juridiques.",
    tag="Attestations sociales et fiscales",
    scopes=frozenset({"fntp_carte_pro", "open_data"}),
    quota=LOW_LATENCY_DOCUMENTS,
    cache=None,
    provider=FNTP,
    request=lambda call: Get(f"/rip/sgmap/{call.siren}/cartepro"),
    wire=lambda reply: reply.body,
    failures=(
        Failure.NOT_FOUND.when(
            status=404, detail=f"La FNTP ne connaît aucune carte pour ce SIREN, ou ce SIREN n'existe pas. {PERIMETER}"
        ),
        Failure.INTERNAL.when(status=500),
        Failure.FILE_TYPE.when(is_another_file),
    ),
    document=Document(name="carte_professionnelle_fntp.pdf"),
    normalise=normalise,
)
