"""Extrait Kbis: what the register of commerce and companies says of a company."""

import re
from typing import Literal

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import Call, Contract, Empty, Endpoint, Single, Tool
from providers.infogreffe.extrait import Dirigeant, Extrait, Node, read
from providers.infogreffe.produits import FAILURES, PRODUITS, order

_VIDE = "Vide s'il n'est pas connu."


class Valeur(Contract):
    """A name, and its code."""

    valeur: str = Field(title="Libellé", description=_VIDE, examples=["FRANCAISE"])
    code: str = Field(title="Code", description=_VIDE, examples=["FR"])


class Greffe(Contract):
    """A registry."""

    valeur: str = Field(title="Nom du greffe", examples=["COLMAR"])
    code: str = Field(title="Code du greffe", examples=["6851"])


class EtablissementPrincipal(Contract):
    """The main place of business; all null where there is none."""

    activite: str | None = Field(title="Activité", examples=["EDITION DE LOGICIELS"])
    origine_fonds: str | None = Field(title="Origine du fonds", examples=["CREATION"])
    mode_exploitation: str | None = Field(title="Mode d'exploitation", examples=["EXPLOITATION DIRECTE"])
    code_ape: str | None = Field(title="Code de l'activité (APE)", examples=["6201Z"])


class Capital(Contract):
    """The capital."""

    montant: float = Field(title="Montant, 0 s'il n'y en a pas", examples=[50123.6])
    devise: str = Field(title="Devise", description=_VIDE, examples=["EUROS"])
    code_devise: str = Field(title="Code de la devise", description=_VIDE, examples=["EUR"])


class PersonneMorale(Contract):
    """The company, where it is a legal person; all empty otherwise."""

    forme_juridique: Valeur = Field(title="Forme juridique", description="Dans la nomenclature des greffes.")
    denomination: str = Field(title="Dénomination", examples=["EXEMPLE LOGICIEL"])
    date_cloture_exercice_comptable: str = Field(title="Mois et jour de clôture de l'exercice", examples=["12-31"])
    date_fin_de_vie: str = Field(title="Date à laquelle la société prend fin", examples=["2097-03-26"])


class Adresse(Contract):
    """The address of a natural person, all texts as the registry wrote them."""

    nom_postal: str = Field(title="Nom postal", examples=[""])
    numero: str = Field(title="Numéro dans la voie", examples=["22"])
    type: str = Field(title="Type de voie", examples=["RUE"])
    voie: str = Field(title="Nom de la voie", examples=["DE L'EXEMPLE"])
    ligne_1: str = Field(title="Première ligne de l'adresse", examples=[""])
    ligne_2: str = Field(title="Deuxième ligne de l'adresse", examples=["22 RUE DE L'EXEMPLE"])
    localite: str = Field(title="Localité", examples=[""])
    code_postal: str = Field(title="Code postal", examples=["75016"])
    bureau_distributeur: str = Field(title="Bureau distributeur", examples=["PARIS"])
    pays: str = Field(title="Pays", examples=["FRANCE"])


class Naissance(Contract):
    """A birth."""

    pays: Valeur = Field(title="Pays de naissance")
    date: str = Field(title="Date de naissance", examples=["1972-01-30"])
    lieu: str = Field(title="Lieu de naissance", examples=["MONTPELLIER"])


class PersonnePhysique(Contract):
    """The company, where it is a sole trader's; all empty otherwise."""

    adresse: Adresse = Field(title="Adresse")
    nationalite: Valeur = Field(title="Nationalité")
    nom: str = Field(title="Nom", examples=["EXEMPLE"])
    prenom: str = Field(title="Prénoms", examples=["CAMILLE"])
    naissance: Naissance = Field(title="Naissance")


class MandatairePhysique(Contract):
    """A natural person who directs, of whose birth the day is not told."""

    type: Literal["personne_physique"] = Field(title="Nature du mandataire")
    nom: str | None = Field(title="Nom", examples=["EXEMPLE"])
    prenom: str | None = Field(title="Prénoms", examples=["CAMILLE"])
    fonction: str | None = Field(title="Fonction dans l'entreprise", examples=["PRESIDENT"])
    date_naissance: str | None = Field(title="Année et mois de naissance", examples=["1980-02"])


class MandataireMoral(Contract):
    """A legal person that directs or audits."""

    type: Literal["personne_morale"] = Field(title="Nature du mandataire")
    numero_identification: str | None = Field(title="SIREN ou autre numéro d'identification", examples=["999500007"])
    fonction: str | None = Field(title="Fonction dans l'entreprise", examples=["COMMISSAIRE AUX COMPTES TITULAIRE"])
    raison_sociale: str | None = Field(title="Raison sociale", examples=["EXEMPLE AUDIT"])


class Observation(Contract):
    """A mention of the registrar."""

    numero: str | None = Field(title="Numéro de l'observation", examples=["12"])
    libelle: str = Field(title="Texte de l'observation", examples=["LA SOCIETE NE CONSERVE AUCUNE ACTIVITE"])
    date: str | None = Field(title="Date de l'observation", examples=["2000-01-01"])


class Kbis(Contract):
    """What the extract says."""

    siren: str = Field(title="SIREN de l'unité légale", examples=["999500002"])
    date_extrait: str | None = Field(
        title="Date de l'extrait", description="En toutes lettres, comme le greffe l'écrit.", examples=["30 MAI 2026"]
    )
    date_radiation: str | None = Field(title="Date de radiation", examples=["2019-01-01"])
    date_immatriculation: str | None = Field(title="Date d'immatriculation", examples=["1998-07-12"])
    mandataires_sociaux: list[MandatairePhysique | MandataireMoral] = Field(title="Mandataires sociaux")
    observations: list[Observation] = Field(title="Observations du greffier")
    nom_commercial: str = Field(
        title="Nom commercial",
        description="De l'établissement principal, vide s'il n'en a pas.",
        examples=["EXEMPLE"],
    )
    etablissement_principal: EtablissementPrincipal = Field(title="Établissement principal")
    capital: Capital = Field(title="Capital")
    greffe: Greffe = Field(title="Greffe où l'entreprise est inscrite")
    personne_morale: PersonneMorale = Field(title="La société, s'il s'agit d'une société")
    personne_physique: PersonnePhysique = Field(title="L'entrepreneur, s'il s'agit d'un entrepreneur individuel")


ExtraitKbis = Single[Kbis, Empty, Empty]


def normalise(sent: Extrait, call: Call) -> ExtraitKbis:
    """What is not known of a person or a company is an empty text, and not null: callers rely on it."""
    entreprise = sent.entreprise
    greffe = entreprise.find("greffe")
    data = Kbis(
        siren=call.siren,
        date_extrait=sent.dossier.get("date_extrait"),
        date_radiation=sent.dossier.find(".//radiation/date_radiation").get("dateISO") or None,
        date_immatriculation=sent.dossier.get("dateISO_immat") or None,
        mandataires_sociaux=[_mandataire(one) for one in sent.dirigeants],
        observations=[
            Observation(
                numero=one.get("numero"), libelle=one.find("libelle").words or "", date=one.get("dateISO") or None
            )
            for one in sent.node.all(".//liste_observations/observation")
        ],
        nom_commercial=_nom_commercial(sent),
        etablissement_principal=_etablissement_principal(sent.principal),
        capital=_capital(entreprise.find("pm/capital/montant")),
        greffe=Greffe(valeur=greffe.text.strip(), code=greffe.get("code") or ""),
        personne_morale=_personne_morale(entreprise.find("pm")),
        personne_physique=_personne_physique(sent, entreprise.find("pp")),
    )
    return ExtraitKbis(data=data, links=Empty(), meta=Empty())


def _mandataire(one: Dirigeant) -> MandatairePhysique | MandataireMoral:
    if one.est_physique:
        return MandatairePhysique(
            type="personne_physique",
            nom=one.node.find(".//nom").words,
            prenom=one.node.find(".//prenom").words,
            fonction=one.fonction,
            date_naissance=one.date_naissance[:7] if one.date_naissance else None,
        )
    return MandataireMoral(
        type="personne_morale",
        numero_identification=one.node.find("pm/num_ident").words,
        fonction=one.fonction,
        raison_sociale=one.node.find(".//denomination").words,
    )


def _nom_commercial(sent: Extrait) -> str:
    """Of the main place of business; of all of them, one after the other, only where none is the main one."""
    places = [sent.principal] if sent.principal else sent.etablissements
    return "".join(place.find("nom_commercial").text for place in places)


def _etablissement_principal(place: Node) -> EtablissementPrincipal:
    def text(name: str) -> str | None:
        return place.find(name).text if place else None

    return EtablissementPrincipal(
        activite=text("activite"),
        origine_fonds=text("origine_fonds"),
        mode_exploitation=text("mode_exploit"),
        code_ape=text("codeAPE"),
    )


def _capital(montant: Node) -> Capital:
    plain = re.sub(r"\s", "", montant.text).replace(",", ".")
    found = re.match(r"[+-]?\d+(\.\d+)?", plain, re.ASCII) or re.match(r"\d+(\.\d+)?", montant.get("valeur") or "")
    return Capital(
        montant=float(found[0]) if found else 0.0,
        devise=montant.get("devise") or "",
        code_devise=montant.get("codeDevise") or "",
    )


def _personne_morale(pm: Node) -> PersonneMorale:
    return PersonneMorale(
        forme_juridique=Valeur(valeur=pm.get("forme_juridique") or "", code=pm.get("codeFormeJuridique") or ""),
        denomination=pm.find("denomination").text,
        date_cloture_exercice_comptable=pm.find("date_cloture").get("dateISO") or "",
        date_fin_de_vie=pm.find("duree_ste/valeur_duree").get("dateISO") or "",
    )


def _personne_physique(sent: Extrait, pp: Node) -> PersonnePhysique:
    adresse, naissance = sent.adresse(pp.get("adresse")) if pp else Node(None), pp.find("naissance")
    return PersonnePhysique(
        adresse=Adresse(
            nom_postal=adresse.find("nompostal").text,
            numero=adresse.find("numero").text,
            type=adresse.find("type").text,
            voie=adresse.find("voie").text,
            ligne_1=adresse.find("ligne1").text,
            ligne_2=adresse.find("ligne2").text,
            localite=adresse.find("localite").text,
            code_postal=adresse.find("code_postal").text,
            bureau_distributeur=adresse.find("bureau_distributeur").text,
            pays=adresse.find("pays").text,
        ),
        nationalite=Valeur(valeur=pp.get("nationalite") or "", code=pp.get("codeNationalite") or ""),
        nom=pp.find("nom").text,
        prenom=pp.find("prenom").text,
        naissance=Naissance(
            pays=Valeur(valeur=naissance.get("pays") or "", code=naissance.get("codePays") or ""),
            date=naissance.find("date").get("dateISO") or "",
            lieu=naissance.find("lieu").text,
        ),
    )


_ADVICE = """
Cet outil lit le registre du commerce et des sociétés : date d'immatriculation, capital, dirigeants, établissement
principal, observations du greffier.

- Les observations disent les procédures collectives en cours : lisez-les avant de conclure qu'une entreprise va bien.
- Les artisans et les professions libérales n'y sont pas : une erreur 404 ne dit pas que l'entreprise n'existe pas.
- La réponse nomme des personnes physiques : n'en gardez que ce que la démarche demande.
"""

extrait_kbis_v3 = Endpoint(
    operation_id="api_entreprise_v3_infogreffe_extraits_rcs",
    path="/v3/infogreffe/rcs/unites_legales/{siren}/extrait_kbis",
    mcp=Tool(name="infogreffe.extraits_rcs", advice=_ADVICE),
    title="Extrait RCS",
    description="Ce que le registre du commerce et des sociétés dit d'une entreprise : identité, capital, mandataires, "
    "établissement principal, observations du greffier.",
    tag="Informations générales",
    scopes=frozenset({"extraits_rcs", "open_data"}),
    quota=JSON_RESOURCES,
    cache=None,
    provider=PRODUITS,
    request=order,
    wire=read,
    success=None,  # the body decides
    failures=FAILURES,
    normalise=normalise,
)
