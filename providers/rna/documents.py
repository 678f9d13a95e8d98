"""Documents d'une association: the papers filed in the register, which stay there until their link is followed."""

from pydantic import Field

from config.quotas import LOW_LATENCY_DOCUMENTS
from providers.api_association import wire
from providers.api_association.outcomes import document_failures
from providers.api_association.values import document_url
from providers.base import DOCUMENT_SECONDS, Cache, Call, Collection, Contract, Empty, Endpoint, Single
from providers.rna.register import NOT_FOUND, QUESTION, REGISTER


class DocumentV3(Contract):
    """A document, by its link."""

    timestamp: str | None = Field(
        title="Date du dépôt",
        description="Secondes écoulées depuis 1970, sous forme de texte. Nulle si elle n'est pas connue.",
        examples=["1411134260"],
    )
    type: str | None = Field(title="Nature du document", examples=["Statuts"])
    url: str | None = Field(
        title="Lien vers le document",
        description="Tiré à chaque réponse. Nul si le répertoire ne donne pas le document.",
        examples=["https://octroi.example/proxy/files/3fa85f64-5717-4562-b3fc-2c963f66afa6/document.pdf"],
    )
    expires_in: int | None = Field(title="Durée de vie du lien, en secondes", examples=[DOCUMENT_SECONDS])
    errors: list[str] = Field(title="Erreurs", description="Toujours vide.", examples=[[]])


class Decompte(Contract):
    """The meta of the list."""

    nombre_documents: int = Field(title="Nombre de documents", examples=[3])
    nombre_documents_deficients: int = Field(
        title="Nombre de documents qui n'ont pas pu être obtenus",
        description="Toujours 0 : un document n'est demandé que lorsque son lien est suivi.",
        examples=[0],
    )


Documents = Collection[DocumentV3, Empty, Decompte]


def normalise(sent: wire.Asso, call: Call) -> Documents:
    """One item for each document that is really there, whatever their announced number."""
    items = [
        Single[DocumentV3, Empty, Empty](
            data=DocumentV3(
                timestamp=document.time,
                type=document.lib_sous_type,
                url=document_url(REGISTER.slug, document.url, call, name=None),
                expires_in=DOCUMENT_SECONDS,
                errors=[],
            ),
            links=Empty(),
            meta=Empty(),
        )
        for document in sent.documents.rna
    ]
    return Documents(
        data=items,
        meta=Decompte(nombre_documents=len(items), nombre_documents_deficients=0),
        links=Empty(),
    )


documents_v3 = Endpoint(
    operation_id="api_entreprise_v3_mi_documents_associations",
    path="/v3/ministere_interieur/rna/associations/{siret_or_rna}/documents",
    title="Documents d'une association",
    description=(
        "Statuts, procès-verbaux, listes de dirigeants, récépissés et autres pièces qu'une association a déposés au "
        "répertoire national des associations (RNA)."
    ),
    tag="Informations générales",
    scopes=frozenset({"associations", "open_data"}),
    quota=LOW_LATENCY_DOCUMENTS,
    cache=Cache.during(hours=1),
    provider=REGISTER,
    request=QUESTION,
    wire=wire.read,
    failures=document_failures(NOT_FOUND),
    normalise=normalise,
    marks=True,
    deprecated=True,
)
