"""The documents of an association: those filed in the register, and those it put into its own account (DAC)."""

from datetime import date, datetime
from hashlib import sha256

from pydantic import Field

from config.clock import PARIS
from providers.api_association import wire
from providers.api_association.values import document_url
from providers.base import Call, Contract
from providers.djepva.service import API_ASSOCIATION

LINK = "https://octroi.example/proxy/files/3fa85f64-5717-4562-b3fc-2c963f66afa6/document.pdf"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

TYPES_DAC = {
    "AFF": "Attestation d’affiliation",
    "AGR": "Arrêté de l'agrement",
    "BPA": "Budget prévisionnel",
    "CPA": "Comptes du dernier exercice clôt",
    "PRS": "Projet sportif",
    "RAR": "Rapport d'activité (le plus récent)",
    "RCA": "Rapport du commissaire au compte",
    "RFA": "Rapport financier",
}
"""The wordings of the contract, whose spelling is theirs; other codes are told as they come."""
BANK_DETAILS = "RIB"
REMOVED = "supprimé"


class SousType(Contract):
    """What a document of the register is, in detail."""

    code: str | None = Field(title="Code de la nature du document", examples=["STC"])
    libelle: str | None = Field(title="Nature du document", examples=["Statuts"])


class DocumentRna(Contract):
    """A document of the register of associations."""

    id: str | None = Field(
        title="Identifiant du document",
        description="Une empreinte : elle ne permet pas de retrouver le document chez le fournisseur.",
        examples=[HASH],
    )
    type: str = Field(
        title="Genre du document",
        description="« Pièce » déposée par l'association, ou « Récipicé » (un récépissé, écrit ainsi au contrat).",
        examples=["Pièce"],
    )
    sous_type: SousType = Field(title="Nature du document")
    date_depot: str | None = Field(
        title="Date et heure du dépôt", description="À l'heure de Paris.", examples=["2020-11-01T00:00:00.000+01:00"]
    )
    annee_depot: str | None = Field(title="Année du dépôt", examples=["2020"])
    url: str | None = Field(
        title="Lien vers le document",
        description="Tiré à chaque réponse, il vit 24 heures. Nul si le fournisseur ne donne pas le document.",
        examples=[LINK],
    )


class DocumentDac(Contract):
    """A document of the account that an association keeps with the administration."""

    id: str | None = Field(
        title="Identifiant du document",
        description="Une empreinte : elle ne permet pas de retrouver le document chez le fournisseur.",
        examples=[HASH],
    )
    nom: str | None = Field(title="Nom du fichier", examples=["rapport-fictif.pdf"])
    annee_validite: str | None = Field(title="Année sur laquelle porte le document", examples=["2023"])
    commentaire: str | None = Field(title="Commentaire de l'association", examples=["Version approuvée"])
    etat: str | None = Field(title="État du document", description="« courant » ou « archivé ».", examples=["courant"])
    type: str | None = Field(title="Nature du document", examples=["Rapport financier"])
    date_depot: date | None = Field(title="Date du dépôt", examples=["2024-03-18"])
    url: str | None = Field(
        title="Lien vers le document",
        description="Tiré à chaque réponse, il vit 24 heures. Nul si le fournisseur ne donne pas le document.",
        examples=[LINK],
    )


def _fingerprint(identifier: str | None) -> str | None:
    """So that no identifier leaves under which the service knows a document."""
    return sha256(identifier.encode()).hexdigest() if identifier else None


def _moment(epoch: str | None) -> str | None:
    try:
        return datetime.fromtimestamp(int(epoch or ""), PARIS).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def documents_rna(sent: wire.Asso, call: Call) -> list[DocumentRna]:
    """The documents of the register, in the order of the wire."""
    return [
        DocumentRna(
            id=_fingerprint(document.id),
            type="Pièce" if document.type == "PIECE" else "Récipicé",
            sous_type=SousType(code=document.sous_type, libelle=document.lib_sous_type),
            date_depot=_moment(document.time),
            annee_depot=document.annee,
            url=document_url(API_ASSOCIATION.slug, document.url, call, name=None),
        )
        for document in sent.documents.rna
    ]


def documents_dac(sent: wire.Asso, siret: str | None, call: Call) -> list[DocumentDac]:
    """The documents of one establishment, without those removed, nor its bank details."""
    return [
        DocumentDac(
            id=_fingerprint(document.uuid),
            nom=document.nom,
            annee_validite=document.meta.annee_validite,
            commentaire=document.commentaire,
            etat=document.meta.etat,
            type=document.meta.type and TYPES_DAC.get(document.meta.type, document.meta.type),
            date_depot=document.time_depot,
            url=document_url(API_ASSOCIATION.slug, document.url, call, name=document.nom),
        )
        for document in sent.documents.dac
        if document.meta.id_siret == siret and document.meta.type != BANK_DETAILS and document.meta.etat != REMOVED
    ]
