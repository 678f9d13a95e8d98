"""The service on associations, simulated: what the register, Sirene and the association's account say, in one XML."""

from collections.abc import Mapping
from datetime import date, datetime
from datetime import time as hour
from itertools import pairwise
from typing import Any

from lxml import etree
from starlette.responses import Response

from config.clock import PARIS
from providers.simulator import pdf
from providers.simulator.company import TRANCHES, Address, Association, Company, Establishment, Kind, tranche
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

OUTSIDE = "/apim/api-asso"
INSIDE = "http://localhost:8181/services"
"""How the service writes the addresses of some documents, seen from itself."""
UNKNOWN_DAY = "0001-01-01"
PHONE = "01 99 00 {:02d} {:02d}"
"""In a range kept for fiction."""

FORMS = {
    "9220": "Association déclarée",
    "9230": "Association déclarée, reconnue d'utilité publique",
    "9260": "Association de droit local (Bas-Rhin, Haut-Rhin et Moselle)",
}
PURPOSES = (
    ("006000", "culture, pratiques d'activités artistiques"),
    ("011000", "sports, activités de plein air"),
    ("019000", "interventions sociales"),
    ("024000", "environnement, cadre de vie"),
)
RNA_PAPERS = (
    ("PIECE", "STC", "Statuts"),
    ("PIECE", "LDC", "Liste dirigeants"),
    ("PIECE", "PV", "Procès verbal"),
    ("RECEPISSE", "CR", "Récépissé de création"),
)
ACCOUNT_PAPERS = (("RFA", "courant"), ("BPA", "courant"), ("RAR", "archivé"), ("RIB", "courant"), ("CPA", "supprimé"))


def structure(call: Incoming) -> Response:
    """`/apim/api-asso-partenaires/api/structure/{identifier}?proxy_only=true`."""
    if not call.headers.get("x-gravitee-api-key"):
        return json_reply({"message": "Unauthorized", "http_status_code": 401}, 401)
    identifier = call.arguments["identifier"]
    company = call.world.find(identifier)
    if company is None:
        return _reply({"erreur": {"proxy_correspondance": _not_found(identifier)}, "identite": {"id_rna": identifier}})
    if company.association is None:
        return _reply(_other(company))
    return _reply(_asso(company, company.association, call))


def document(call: Incoming) -> Response:
    """A document of the register or of an association's account."""
    try:
        rna = bytes.fromhex(call.arguments["document"].replace("-", "")[:20]).decode("ascii")
    except ValueError:
        return Response(b"", 404)
    company = call.world.association(rna)
    if company is None:
        return Response(b"", 404)
    lines = ["Document simulé, fictif et sans valeur", company.name, f"Numéro RNA : {rna}"]
    return Response(pdf.write([lines]), media_type="application/pdf")


def _not_found(identifier: str) -> str:
    return f"HTTP operation failed invoking {INSIDE}/proxy_db_asso/correspondance/{identifier} with statusCode: 404"


def _reply(told: Mapping[str, Any]) -> Response:
    root = etree.Element("asso")
    _fill(root, told)
    return Response(etree.tostring(root, encoding="utf-8", pretty_print=True), media_type="application/xml")


def _fill(element: etree._Element, told: Mapping[str, Any]) -> None:
    """Members become elements, a list a repeated one, `@` an attribute; what is None is left out."""
    for name, value in told.items():
        if name.startswith("@"):
            element.set(name[1:], str(value))
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                _fill(etree.SubElement(element, name), one)
            elif one is not None:
                etree.SubElement(element, name).text = _written(one)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _other(company: Company) -> dict[str, Any]:
    """A legal unit that is no association: the service knows it by Sirene alone."""
    told = {"id_siren": company.siren, "id_correspondance": _number(company)}
    return {
        **told,
        "identite": {
            **told,
            "nom": company.name,
            "id_forme_juridique": company.categorie_juridique,
            "regime": "collectivite" if company.kind is Kind.PUBLIC else "autre",
            "active_sirene": company.ceased is None,
        },
    }


def _asso(company: Company, association: Association, call: Incoming) -> dict[str, Any]:
    keys = {
        "id_siren": company.siren or None,
        "id_rna": association.rna,
        "id_correspondance": _number(company),
    }
    places = company.etablissements
    siege = company.siege if places else None
    return {
        **keys,
        "identite": {**keys, **_identite(company, association, siege)},
        "activites": _activites(company, association),
        "coordonnees": {
            "adresse_siege": _adresse(association.adresse),
            "adresse_gestion": _adresse_gestion(siege.adresse if siege else association.adresse),
            "telephone": _phone(company, "association"),
        },
        "composition_reseau": _network(call) if association.utilite_publique else None,
        "reseaux_affiliation": {"reseau_affiliation": _federation(association)},
        "agrements": {"agrement": _approval(company, association)} if association.utilite_publique else None,
        "representants_legaux": {"representant_legal": _people(company, siege)} if siege else None,
        "rhs": {"rh": _staff(company, association, siege, call.today)} if siege else None,
        "comptes": {"compte": _accounts(company, association, siege, call.today)} if siege else None,
        "etablissements": {
            "nb_actifs": sum(place.closed is None for place in places),
            "etablissement": [_place(company, place) for place in places],
        },
        "documents": _documents(association, siege, call),
    }


def _number(company: Company) -> int:
    return 9_000_000 + Dice(f"api_association/{company.siren or company.rna}").roll("number", 1_000_000)


def _identite(company: Company, association: Association, siege: Establishment | None) -> dict[str, Any]:
    is_east = association.regime == "alsaceMoselle"
    recognised = association.utilite_publique
    return {
        "nom": company.name,
        "nom_sirene": company.name if company.siren else None,
        "sigle": company.sigle,
        "id_ex": f"00{association.rna[-8:]}",
        "id_siret_siege": siege.siret if siege else None,
        "id_forme_juridique": company.categorie_juridique,
        "lib_forme_juridique": FORMS.get(company.categorie_juridique),
        "tribunal_instance": "Tribunal d'instance de Strasbourg" if is_east else None,
        "volume": 12 if is_east else None,
        "folio": 34 if is_east else None,
        "date_pub_registre": association.published if is_east else None,
        "date_pub_jo": UNKNOWN_DAY if is_east else association.published,
        "date_creat": association.declared,
        "date_creation_sirene": company.created if company.siren else None,
        "date_dissolution": association.dissolved or UNKNOWN_DAY,
        "date_modif_rna": company.updated.date(),
        "date_modif_siren": company.updated.date() if company.siren else None,
        "active": association.dissolved is None,
        "active_sirene": bool(company.siren) and company.ceased is None,
        "util_publique": recognised,
        "date_publication_util_publique": association.published if recognised else None,
        "groupement": "Simple",
        "eligibilite_cec": association.dissolved is None,
        "regime": association.regime,
        "impots_commerciaux": False,
    }


def _activites(company: Company, association: Association) -> dict[str, Any]:
    code, label = Dice(f"api_association/{association.rna}").pick("purpose", PURPOSES)
    headcount = company.headcount
    return {
        "objet": association.objet,
        "id_objet_social1": code,
        "lib_objet_social1": label,
        "id_activite_principale": company.activity.naf if company.siren else None,
        "lib_activite_principale": _label(company.activity.naf) if company.siren else None,
        "annee_activite_principale": "2008" if company.siren else "0   ",
        "champ_action_territorial": "national" if association.utilite_publique else "local",
        "id_tranche_effectif": tranche(headcount) if headcount else "NN",
        "lib_tranche_effectif": _band(tranche(headcount)) if headcount else "Non référencé",
        "annee_effectif_salarie_cent": "2023" if headcount else "0   ",
        "appartenance_ess": "O" if company.economie_sociale else "N",
    }


def _label(naf: str) -> str:
    return f"Activité {naf}, libellé simulé"


def _band(code: str) -> str:
    ranges = {code: (low, high - 1) for (code, low), (_, high) in pairwise(TRANCHES)}
    low, high = ranges.get(code, (TRANCHES[-1][1], 0))
    return f"{low} à {high} salariés" if high else f"{low} salariés et plus"


def _adresse(adresse: Address) -> dict[str, Any]:
    return {
        "cplt_1": adresse.complement,
        "num_voie": adresse.numero_voie,
        "type_voie": adresse.type_voie,
        "voie": adresse.libelle_voie,
        "bp": adresse.distribution_speciale,
        "cp": adresse.code_postal,
        "commune": adresse.libelle_commune,
        "code_insee": adresse.code_commune,
    }


def _adresse_gestion(adresse: Address) -> dict[str, Any]:
    """The one that the association wrote itself: the street in one piece."""
    return {"voie": adresse.voie, "cp": adresse.code_postal, "commune": adresse.libelle_commune, "pays": "FRANCE"}


def _phone(company: Company, whose: str) -> str:
    dice = Dice(f"api_association/{company.rna}/{whose}")
    return PHONE.format(dice.roll("tens", 100), dice.roll("units", 100))


def _place(company: Company, place: Establishment) -> dict[str, Any]:
    return {
        "id_siret": place.siret,
        "id_siren": place.siren,
        "nom": company.name,
        "courriel": "contact@association.example",
        "telephone": _phone(company, place.siret),
        "est_siege": place.is_siege,
        "actif": place.closed is None,
        "date_actif": place.opened,
        "adresse": _adresse(place.adresse),
        "id_activite_principale": place.activity.naf,
        "lib_activite_principale": _label(place.activity.naf),
        "id_tranche_effectif": tranche(place.headcount) if place.headcount else "NN",
        "lib_tranche_effectif": _band(tranche(place.headcount)) if place.headcount else "Non référencé",
    }


def _network(call: Incoming) -> dict[str, Any]:
    """The other documented associations belong to the network of the recognised ones."""
    known = [company for company in call.world.companies if company.association and not company.ceased]
    return {
        "membre": [
            {
                "nom": company.name,
                "id_rna": company.rna,
                "id_siret": company.siege.siret if company.etablissements else None,
                "objet": company.association.objet if company.association else None,
                "adresse": _adresse(company.association.adresse) if company.association else None,
                "telephone": _phone(company, "association"),
                "courriel": "contact@association.example",
            }
            for company in known[:2]
        ]
    }


def _federation(association: Association) -> dict[str, Any]:
    return {
        "nom": "FEDERATION FICTIVE DES ASSOCIATIONS SIMULEES",
        "numero": association.rna[-6:],
        "objet": "réunir des associations qui n'existent pas",
        "telephone": "01 99 00 00 00",
        "nb_licencies": association.members,
        "nb_licencies_h": association.members // 2,
        "nb_licencies_f": association.members - association.members // 2,
    }


def _approval(company: Company, association: Association) -> dict[str, Any]:
    return {
        "type": "Agrément fictif",
        "numero": f"00-{association.rna[-4:]}",
        "niveau": "national",
        "attributeur": "Ministère simulé",
        "date_attribution": association.published,
        "url": f"{INSIDE}/documents/{_uuid(company.rna or '', 99)}",
    }


def _people(company: Company, siege: Establishment) -> list[dict[str, Any]]:
    """The officers; the last one told has left."""
    people = [officer for officer in company.dirigeants if officer.person]
    return [
        {
            "id": place,
            "civilite": {"M": "Monsieur", "MME": "Madame"}[officer.person.civilite],
            "nom": officer.person.nom.capitalize(),
            "prenom": officer.person.prenoms[0].capitalize(),
            "fonction": officer.qualite,
            "telephone": _phone(company, f"officer/{place}"),
            "courriel": "personne@association.example",
            "id_siret": siege.siret,
            "deleted": place > 0 and place == len(people) - 1,
            "est_representant_legal": True,
            "valideur_cec": place == 0,
            "publication_internet": False,
        }
        for place, officer in enumerate(people)
        if officer.person
    ]


def _years(association: Association, today: date) -> range:
    """The last two whole years of its life."""
    last = min(today.year - 1, association.dissolved.year if association.dissolved else today.year)
    return range(last, max(last - 2, association.declared.year - 1), -1)


def _staff(company: Company, association: Association, siege: Establishment, today: date) -> list[dict[str, Any]]:
    return [
        {
            "@annee": year,
            "nb_benevoles": association.volunteers,
            "nb_volontaires": 0,
            "nb_salaries": company.headcount,
            "nb_salaries_etpt": company.headcount * 0.8,
            "id_siret": siege.siret,
            "nb_emplois_aides": 0,
            "nb_personnels_detaches": 0,
            "nb_adherents": association.members,
            "nb_adherents_h": association.members // 2,
            "nb_adherents_f": association.members - association.members // 2,
        }
        for year in _years(association, today)
    ]


def _accounts(company: Company, association: Association, siege: Establishment, today: date) -> list[dict[str, Any]]:
    made = []
    for year in _years(association, today):
        dice = Dice(f"api_association/{association.rna}/{year}")
        gifts, costs = dice.between("gifts", 0, 90) * 100, company.headcount * 32_000 + association.members * 12
        income = gifts + association.subventions + association.members * 20 + company.headcount * 30_000
        made.append(
            {
                "@annee": year,
                "a_commisaire_aux_comptes": association.utilite_publique,
                "dons": float(gifts),
                "subv": float(association.subventions),
                "cause_subv": "Fonctionnement",
                "aides_3ans": float(association.subventions * 3),
                "produits": float(income),
                "charges": float(costs),
                "resultat": float(income - costs),
                "id_siret": siege.siret,
            }
        )
    return made


def _documents(association: Association, siege: Establishment | None, call: Incoming) -> dict[str, Any]:
    account = [_account_paper(association, siege, place, call) for place in range(len(ACCOUNT_PAPERS))] if siege else []
    papers = [_rna_paper(association, place, call) for place in range(len(RNA_PAPERS))]
    return {"nbDocDac": len(account), "document_dac": account, "document_rna": papers, "nbDocRna": len(papers)}


def _rna_paper(association: Association, place: int, call: Incoming) -> dict[str, Any]:
    kind, code, label = RNA_PAPERS[place]
    number, folder = _hexadecimal(association.rna, place), "PJ" if kind == "PIECE" else "RC"
    filed = datetime.combine(association.declared, hour(9, 30 + place), PARIS)
    return {
        "id": number,
        "type": kind,
        "annee": association.declared.year,
        "sous_type": code,
        "time": None if code == "PV" else int(filed.timestamp()),
        "url": f"https://{call.host}{OUTSIDE}/api/documents/{folder}/{number}",
        "lib_sous_type": label,
    }


def _account_paper(association: Association, siege: Establishment, place: int, call: Incoming) -> dict[str, Any]:
    kind, state = ACCOUNT_PAPERS[place]
    year = association.dissolved.year if association.dissolved else call.today.year - 1
    number = _uuid(association.rna, 50 + place)
    return {
        "meta": {"id_siret": siege.siret, "type": kind, "annee_validite": year, "etat": state},
        "time_depot": f"{year + 1}-03-18 09:30:00",
        "uuid": number,
        "nom": f"{kind.lower()}-{year}.pdf",
        "url": f"{INSIDE}/documents/{number}",
    }


def _hexadecimal(rna: str, place: int) -> str:
    """The number of a document, from which its association is found again."""
    return f"{rna.encode('ascii').hex()}{place:012x}"


def _uuid(rna: str, place: int) -> str:
    digits = _hexadecimal(rna, place)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


ROUTES = (
    Simulated(method="GET", path="/apim/api-asso-partenaires/api/structure/{identifier}", handler=structure),
    *(
        Simulated(method="GET", path=f"{OUTSIDE}{path}/{{document}}", handler=document, may_fail=False)
        for path in ("/api/documents/PJ", "/api/documents/RC", "/documents")
    ),
)
