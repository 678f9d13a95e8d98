"""What the service sends on an association. An empty element tells nothing, and a missing block is an empty one."""

import re
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field

from providers.base import Reply, Unreadable, Wire
from providers.base.models import calendar_day
from providers.base.xml import members

UNKNOWN_DAY = date(1, 1, 1)
"""How the service writes a date that it does not know."""


# How values are read.


def _text(value: Any) -> Any:
    """A text as it stands, spaces included. Of a repeated element the first one counts."""
    if isinstance(value, list):
        return _text(value[0]) if value else None
    return value.get("#text") if isinstance(value, dict) else value


def _day(value: Any) -> date | None:
    found = calendar_day(_text(value))
    return None if found == UNKNOWN_DAY else found


def _year(value: Any) -> Any:
    text = _text(value)
    return None if text is None or text.strip() in ("", "0") else text


def _phone(value: Any) -> Any:
    digits = re.sub(r"\s", "", _text(value) or "")
    return digits if digits.strip("0") else None


def _trimmed(value: Any) -> Any:
    return (_text(value) or "").strip() or None


def _is_true(value: Any) -> bool:
    return bool(_text(value) == "true")


def integer(value: Any) -> int | None:
    """A whole number, at the head of a text."""
    found = re.match(r"\s*(-?\d{1,18})", _text(value) or "", re.ASCII)
    return int(found[1]) if found else None


def _decimal(value: Any) -> float | None:
    found = re.match(r"\s*(-?\d{1,18}(?:\.\d+)?)", (_text(value) or "").replace(",", "."), re.ASCII)
    return float(found[1]) if found else None


def _amount(value: Any) -> float:
    return _decimal(value) or 0.0


def _block(value: Any) -> Any:
    """The members of a block; none where it is empty or missing."""
    if isinstance(value, list):
        return _block(value[0]) if value else {}
    return value if isinstance(value, dict) else {}


def _rows(value: Any) -> Any:
    return [row for row in (value if isinstance(value, list) else [value]) if isinstance(row, dict)]


Text = Annotated[str | None, BeforeValidator(_text)]
Trimmed = Annotated[str | None, BeforeValidator(_trimmed)]
Day = Annotated[date | None, BeforeValidator(_day)]
Year = Annotated[str | None, BeforeValidator(_year)]
Phone = Annotated[str | None, BeforeValidator(_phone)]
Flag = Annotated[bool, BeforeValidator(_is_true)]
Integer = Annotated[int | None, BeforeValidator(integer)]
Decimal = Annotated[float | None, BeforeValidator(_decimal)]
Amount = Annotated[float, BeforeValidator(_amount)]

T = TypeVar("T")
Block = Annotated[T, BeforeValidator(_block)]
Rows = Annotated[list[T], BeforeValidator(_rows)]


# Its parts.


class Adresse(Wire):
    """An address. The complements are joined, so that theirs are not trimmed."""

    cplt_1: Text = None
    cplt_2: Text = None
    cplt_3: Text = None
    num_voie: Trimmed = None
    type_voie: Trimmed = None
    voie: Trimmed = None
    bp: Trimmed = None
    code_insee: Trimmed = None
    cp: Trimmed = None
    commune: Trimmed = None


class Identite(Wire):
    """Who the association is, to the register of associations and to Sirene."""

    nom: Text = None
    sigle: Text = None
    id_rna: Text = None
    id_ex: Text = None
    id_siren: Text = None
    id_siret_siege: Text = None
    id_forme_juridique: Text = None
    lib_forme_juridique: Text = None
    regime: Text = None
    groupement: Text = None
    active: Flag = False
    active_sirene: Flag = False
    util_publique: Flag = False
    eligibilite_cec: Flag = False
    raison_non_eligibilite_cec: Text = None
    impots_commerciaux: Flag = False
    tribunal_instance: Text = None
    volume: Text = None
    folio: Text = None
    date_pub_registre: Day = None
    date_creat: Day = None
    date_creation_sirene: Day = None
    date_dissolution: Day = None
    date_publication_util_publique: Day = None
    date_pub_jo: Day = None
    date_modif_rna: Day = None
    date_modif_siren: Day = None


class Activites(Wire):
    """What it does, and with how many people."""

    objet: Text = None
    id_objet_social1: Text = None
    lib_objet_social1: Text = None
    id_objet_social2: Text = None
    lib_objet_social2: Text = None
    champ_action_territorial: Text = None
    id_activite_principale: Text = None
    lib_activite_principale: Text = None
    annee_activite_principale: Year = None
    id_tranche_effectif: Text = None
    lib_tranche_effectif: Text = None
    annee_effectif_salarie_cent: Year = None
    appartenance_ess: Text = None
    date_appartenance_ess: Day = None


class Coordonnees(Wire):
    """Where it is. Its telephone and its mail are told too, and nobody asks for them."""

    adresse_siege: Block[Adresse] = Adresse()
    adresse_gestion: Block[Adresse] = Adresse()


class Etablissement(Wire):
    """A place of business, as Sirene knows it."""

    id_siret: Text = None
    id_siren: Text = None
    nom: Text = None
    courriel: Text = None
    telephone: Phone = None
    est_siege: Flag = False
    actif: Flag = False
    date_actif: Day = None
    adresse: Block[Adresse] = Adresse()
    id_activite_principale: Text = None
    lib_activite_principale: Text = None


class DocumentRna(Wire):
    """A document of the register of associations."""

    id: Text = None
    type: Text = None
    annee: Year = None
    sous_type: Text = None
    lib_sous_type: Text = None
    time: Text = None
    url: Text = None


class MetaDac(Wire):
    """What a document of the association's account is about."""

    id_siret: Text = None
    type: Text = None
    etat: Text = None
    annee_validite: Year = None


class DocumentDac(Wire):
    """A document that the association put into its own account."""

    meta: Block[MetaDac] = MetaDac()
    uuid: Text = None
    nom: Text = None
    commentaire: Text = None
    time_depot: Day = None
    url: Text = None


class Documents(Wire):
    """Both kinds of documents. Their announced number need not be that of the elements."""

    rna: Rows[DocumentRna] = Field([], alias="document_rna")
    dac: Rows[DocumentDac] = Field([], alias="document_dac")


class Membre(Wire):
    """An association that belongs to this one's network."""

    id_rna: Text = None
    id_siret: Text = None
    nom: Text = None
    objet: Text = None
    adresse: Block[Adresse] = Adresse()
    telephone: Phone = None
    courriel: Text = None
    site_web: Text = None


class Affiliation(Wire):
    """A network to which the association belongs."""

    nom: Text = None
    numero: Text = None
    id_rna: Text = None
    id_siret: Text = None
    objet: Text = None
    adresse: Block[Adresse] = Adresse()
    telephone: Text = None
    courriel: Text = None
    url: Text = None
    nb_licencies: Integer = None
    nb_licencies_h: Integer = None
    nb_licencies_f: Integer = None


class Agrement(Wire):
    """An approval by a public authority."""

    numero: Text = None
    date_attribution: Day = None
    type: Text = None
    niveau: Text = None
    attributeur: Text = None
    url: Text = None


class RepresentantLegal(Wire):
    """Someone who acts for an establishment, or once did, or only works there."""

    id_siret: Text = None
    deleted: Text = None
    est_representant_legal: Text = None
    civilite: Text = None
    nom: Text = None
    prenom: Text = None
    fonction: Text = None
    valideur_cec: Flag = False
    publication_internet: Flag = False
    telephone: Text = None
    courriel: Text = None


class Rh(Wire):
    """The people of an establishment in one year."""

    annee: Year = Field(None, validation_alias=AliasChoices("@annee"))
    id_siret: Text = None
    nb_benevoles: Integer = None
    nb_volontaires: Integer = None
    nb_salaries: Integer = None
    nb_salaries_etpt: Decimal = None
    nb_emplois_aides: Integer = None
    nb_personnels_detaches: Integer = None
    nb_adherents: Integer = None
    nb_adherents_h: Integer = None
    nb_adherents_f: Integer = None


class Compte(Wire):
    """The accounts of an establishment for one year."""

    annee: Year = Field(None, validation_alias=AliasChoices("@annee"))
    id_siret: Text = None
    a_commisaire_aux_comptes: Flag = False
    dons: Amount = 0.0
    cause_subv: Text = None
    subv: Amount = 0.0
    aides_3ans: Amount = 0.0
    charges: Amount = 0.0
    resultat: Amount = 0.0
    produits: Amount = 0.0


class _Etablissements(Wire):
    rows: Rows[Etablissement] = Field([], alias="etablissement")


class _Membres(Wire):
    rows: Rows[Membre] = Field([], alias="membre")


class _Affiliations(Wire):
    rows: Rows[Affiliation] = Field([], alias="reseau_affiliation")


class _Agrements(Wire):
    rows: Rows[Agrement] = Field([], alias="agrement")


class _Representants(Wire):
    rows: Rows[RepresentantLegal] = Field([], alias="representant_legal")


class _Rhs(Wire):
    rows: Rows[Rh] = Field([], alias="rh")


class _Comptes(Wire):
    rows: Rows[Compte] = Field([], alias="compte")


class Asso(Wire):
    """All that is known of an association."""

    id_correspondance: Text = None
    identite: Block[Identite] = Identite()
    activites: Block[Activites] = Activites()
    coordonnees: Block[Coordonnees] = Coordonnees()
    etablissements: Block[_Etablissements] = _Etablissements()
    documents: Block[Documents] = Documents()
    composition_reseau: Block[_Membres] = _Membres()
    reseaux_affiliation: Block[_Affiliations] = _Affiliations()
    agrements: Block[_Agrements] = _Agrements()
    representants_legaux: Block[_Representants] = _Representants()
    rhs: Block[_Rhs] = _Rhs()
    comptes: Block[_Comptes] = _Comptes()


def read(reply: Reply) -> Asso:
    """The association that a reply tells of. Raises Unreadable."""
    root = reply.xml()
    if root.tag != "asso":
        raise Unreadable("no asso")
    return Asso.model_validate(_block(members(root)))
