"""DGFIP's ADELIE, simulated: health, fiscal certificate, turnover, tax returns with their capital links, dictionary."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from starlette.responses import HTMLResponse, Response

from config.clock import PARIS, paris
from providers.simulator import pdf
from providers.simulator.accounts import DELAY, exercice_of, last_exercices
from providers.simulator.company import Address, Company, Exercice, Kind, Shareholder
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply, oauth_token
from providers.simulator.world import World

BASE = "/adelie/v1"
TOKEN_SECONDS = 3600
SIMPLIFIED_BELOW = 840_000
"""Turnover in euros under which a company files the simplified forms, unless it owns or is owned by another."""
GROUP_PERCENT = 95
"""Share of the capital from which a company joins the fiscal group of its owner."""

ERROR_PAGE = """<!DOCTYPE html>
<html><head><title>Page d'erreur</title></head>
<body><p>Une erreur applicative s'est produite sur le serveur ADELIE.</p></body></html>
"""


class Field(NamedTuple):
    """A box of a tax form, as the dictionary describes it."""

    form: str
    code_nref: str
    code: str
    edi: str
    absolu: str
    type: str
    intitule: str


TOTAL_ACTIF = Field("2050", "300405", "GJ", "GJ:C516:5004:1", "2000463", "MOA", "Total de l'actif, net")
DISPONIBILITES = Field("2050", "300384", "EN", "EN:C516:5004:1", "2000442", "MOA", "Disponibilités, net")
CAPITAL = Field("2051", "300414", "DA", "DA:C516:5004:1", "2000472", "MOA", "Capital social ou individuel")
CAPITAUX_PROPRES = Field("2051", "300438", "DL", "DL:C516:5004:1", "2000497", "MOA", "Total des capitaux propres")
FOURNISSEURS = Field("2051", "300462", "DX", "DX:C516:5004:1", "2000522", "MOA", "Dettes fournisseurs")
TOTAL_PASSIF = Field("2051", "300476", "EE", "EE:C516:5004:1", "2000536", "MOA", "Total du passif")
CHIFFRE_AFFAIRES = Field("2052", "300506", "FL", "FL:C516:5004:1", "2000566", "MOA", "Chiffre d'affaires net, total")
SALAIRES = Field("2052", "300530", "FY", "FY:C516:5004:1", "2000590", "MOA", "Salaires et traitements")
RESULTAT = Field("2053", "300606", "HN", "HN:C516:5004:1", "2000666", "MOA", "Bénéfice ou perte")
ACTIF_SIMPLE = Field("2033A", "304372", "CR", "CR:C516:5004:1", "2005090", "MOA", "Total de l'actif, net")
CAPITAL_SIMPLE = Field("2033A", "304391", "FA", "FA:C516:5004:1", "2005109", "MOA", "Capital social ou individuel")
PROPRES_SIMPLE = Field("2033A", "304399", "FJ", "FJ:C516:5004:1", "2005117", "MOA", "Total des capitaux propres")
DETTES_SIMPLE = Field("2033A", "304406", "FR", "FR:C516:5004:1", "2005124", "MOA", "Total des dettes")
PASSIF_SIMPLE = Field("2033A", "304407", "FS", "FS:C516:5004:1", "2005125", "MOA", "Total du passif")
SERVICES = Field("2033B", "304451", "BC", "BC:C516:5004:1", "2005169", "MOA", "Production vendue de services, total")
SALAIRES_SIMPLE = Field("2033B", "304463", "BQ", "BQ:C516:5004:1", "2005181", "MOA", "Salaires et traitements")
RESULTAT_SIMPLE = Field("2033B", "304475", "CC", "CC:C516:5004:1", "2005193", "MOA", "Bénéfice ou perte")
FILIALES_NEANT = Field("2033G", "305683", "GS", "GS:C889:7111:1:TBX", "2006743", "CCI", "Déposé néant")
RECETTES = Field("2035A", "301564", "AA", "AA:C516:5004:1", "2001726", "MOA", "Recettes encaissées")
RECETTES_TOTAL = Field("2035A", "301570", "AG", "AG:C516:5004:1", "2001732", "MOA", "Total des recettes")
ASSOCIE_NOM = Field("2033F", "304814", "BA", "BA:C080:3036:1", "2005674", "NAD", "Nom et prénoms de l'associé")
ASSOCIE_PARTS = Field("2033F", "304816", "BD", "BD:C186:6060:1", "2005677", "QTY", "Parts de l'associé")
ASSOCIE_PERCENT = Field("2033F", "304817", "BR", "BR:C501:5482:1", "2005678", "PCD", "Pourcentage de l'associé")

DICTIONARY = (
    TOTAL_ACTIF,
    DISPONIBILITES,
    CAPITAL,
    CAPITAUX_PROPRES,
    FOURNISSEURS,
    TOTAL_PASSIF,
    CHIFFRE_AFFAIRES,
    SALAIRES,
    RESULTAT,
    ACTIF_SIMPLE,
    CAPITAL_SIMPLE,
    PROPRES_SIMPLE,
    DETTES_SIMPLE,
    PASSIF_SIMPLE,
    SERVICES,
    SALAIRES_SIMPLE,
    RESULTAT_SIMPLE,
    FILIALES_NEANT,
    RECETTES,
    RECETTES_TOTAL,
    ASSOCIE_NOM,
    ASSOCIE_PARTS,
    ASSOCIE_PERCENT,
)
"""The boxes that the simulated returns fill; the real dictionary has some three thousand."""

Donnee = dict[str, Any]


def etat_sante(_: Incoming) -> Response:
    """`/etatSante`."""
    return json_reply({"etat": "OK"})


def attestation_fiscale(call: Incoming) -> Response:
    """`/attestationFiscale`."""
    company = call.world.company(call.parameters.get("siren", ""))
    oddity = company.peculiarities.get("dgfip") if company else None
    if company is None or company.ceased or oddity == "nothing":
        return Response("", 404, media_type="text/plain")
    broken = _broken(company, call)
    if broken:
        return broken
    if oddity == "not_pdf":
        return Response("Ce texte n'est pas un PDF", media_type="text/plain")
    lines = _refusal(call) if oddity == "refused" else _certificate(company, call)
    return Response(pdf.write([lines]), media_type="application/pdf")


def chiffre_affaires(call: Incoming) -> Response:
    """`/chiffreAffaires`."""
    siret = call.parameters.get("siret", "")
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    if company is None:
        return json_reply({}, 404)
    broken = _broken(company, call)
    if broken:
        return broken
    oddity = company.peculiarities.get("dgfip")
    exercices = () if oddity == "nothing" else last_exercices(company, call.today)
    rows = [{"ca": str(e.chiffre_affaires), "dateFinExercice": _midnight(e)} for e in exercices]
    return json_reply({"liste_ca": rows[0] if oddity == "single" and rows else rows})


def liasse_fiscale(call: Incoming) -> Response:
    """`/getLiasseFiscale`."""
    company = call.world.company(call.parameters.get("siren", ""))
    year = call.parameters.get("annee", "")
    if company is None or not year.isdecimal():
        return json_reply({}, 404)
    broken = _broken(company, call)
    if broken:
        return broken
    exercice = None if company.peculiarities.get("dgfip") == "nothing" else exercice_of(company, int(year))
    filed = exercice if exercice and exercice.fin + DELAY <= call.today else None
    return json_reply(
        {
            "entreprise": _entreprise(company, call.world),
            "declarations": _declarations(company, filed, call.world) if filed else [],
        }
    )


def dictionnaire(_: Incoming) -> Response:
    """`/dictionnaire`: the boxes that the simulated returns use."""
    forms = list(dict.fromkeys(field.form for field in DICTIONARY))
    rows = [
        {
            "numero_imprime": form,
            "millesimes": {
                "millesime": "201501",
                "statut_version": "V",
                "declaration": [
                    {
                        "code_absolu": field.absolu,
                        "code_EDI": field.edi,
                        "code": field.code,
                        "intitule": field.intitule,
                        "code_type_donnee": field.type,
                        "code_nref": field.code_nref,
                    }
                    for field in DICTIONARY
                    if field.form == form
                ],
            },
        }
        for form in forms
    ]
    return json_reply({"dictionnaire": rows})


def unauthorised(_: Incoming) -> Response:
    """What a missing, wrong or expired token gets."""
    return json_reply({"erreur": {"code": 401000, "message": "Jeton absent ou expiré"}}, 401)


def _broken(company: Company, call: Incoming) -> Response | None:
    """The reply to any question about a company on which ADELIE stumbles."""
    oddity = company.peculiarities.get("dgfip")
    if oddity == "error_page":
        return HTMLResponse(ERROR_PAGE)
    if oddity != "runtime_error":
        return None
    moment = paris(call.clock).isoformat(timespec="seconds")
    return json_reply({"erreur": {"code": 303001, "message": "Erreur simulée", "horodatage": moment}}, 500)


def _certificate(company: Company, call: Incoming) -> list[str]:
    return [
        "Direction simulée des finances publiques - document fictif, sans valeur",
        "Attestation de régularité fiscale",
        f"Délivrée le {call.today:%d/%m/%Y}",
        f"Dénomination : {company.name}",
        f"Siren : {company.siren}",
        f"Siège : {company.siege.adresse.voie}, {company.siege.adresse.ville}",
        "Déclarations de résultats et de TVA déposées, impôts réglés.",
        "Page 1/1",
    ]


def _refusal(call: Incoming) -> list[str]:
    return [
        "Impossible de délivrer votre attestation de régularité fiscale",
        "Direction simulée des finances publiques - document fictif, sans valeur",
        f"Imprimé le {call.today:%d/%m/%Y}",
        "Page 1/1",
    ]


def _midnight(exercice: Exercice) -> str:
    return datetime.combine(exercice.fin, time(), PARIS).isoformat()


def _regime(company: Company, world: World) -> str:
    if company.kind is Kind.ENTREPRENEUR:
        return "DECC"
    owned = [percent for _, percent in world.filiales(company.siren)]
    owners = [owner.percent for owner in company.actionnaires if owner.siren]
    if any(percent >= GROUP_PERCENT for percent in owned):
        return "RNGROUPE"
    if any(percent >= GROUP_PERCENT for percent in owners):
        return "RNMEMBRE"
    return "RN" if owned or owners or company.base_turnover >= SIMPLIFIED_BELOW else "RS"


def _entreprise(company: Company, world: World) -> dict[str, Any]:
    dice = Dice(f"dgfip/{company.siren}")
    regime = _regime(company, world)
    codes = {"DECC": ("BNC",), "RNGROUPE": ("IS GROUPE", "IS")}.get(regime, ("IS",))
    obligations = [
        {
            "numOcfi": "10" + dice.letters(f"ocfi/{code}", 10, "0123456789"),
            "codeObf": code,
            "dateDebut": datetime.combine(company.created, time(), PARIS).isoformat(),
            "regime": regime,
            "codeNace": company.activity.naf.replace(".", ""),
            "nbRof": "1",
            "ROF": f"{code.split()[0]}1",
            "texteExploitation": company.activity.word,
        }
        for code in codes
    ]
    return {
        "siren": company.siren,
        "denomination": company.name,
        "itip": "10" + dice.letters("itip", 10, "0123456789"),
        "setOcfis": obligations if len(obligations) > 1 else obligations[0],
    }


def _declarations(company: Company, exercice: Exercice, world: World) -> list[dict[str, Any]]:
    regime = _regime(company, world)
    if regime == "DECC":
        forms = {"2035A": _filled((RECETTES, exercice.chiffre_affaires), (RECETTES_TOTAL, exercice.chiffre_affaires))}
    elif regime == "RS":
        forms = _simplified(company, exercice)
    else:
        forms = _normal(exercice) | {"2059F": _capital(company, world), "2059G": _participations(company, world)}
    return [
        {
            "numero_imprime": form,
            "code_regime": regime,
            "date_declaration": (exercice.fin + timedelta(days=110)).isoformat(),
            "fin_exercice": exercice.fin.isoformat(),
            "duree_exercice": f"{exercice.days} jours",
            "millesime": f"{exercice.fin.year}01",
            "imprime": {"donnees": donnees if len(donnees) > 1 else donnees[0]},
        }
        for form, donnees in forms.items()
    ]


def _filled(*boxes: tuple[Field, int]) -> list[Donnee]:
    return [{"code_nref": field.code_nref, "valeur": str(value)} for field, value in boxes]


def _normal(exercice: Exercice) -> dict[str, list[Donnee]]:
    return {
        "2050": _filled((DISPONIBILITES, exercice.total // 5), (TOTAL_ACTIF, exercice.total)),
        "2051": _filled(
            (CAPITAL, exercice.capital),
            (CAPITAUX_PROPRES, exercice.capitaux_propres),
            (FOURNISSEURS, exercice.dettes),
            (TOTAL_PASSIF, exercice.total),
        ),
        "2052": _filled((CHIFFRE_AFFAIRES, exercice.chiffre_affaires), (SALAIRES, exercice.salaires)),
        "2053": _filled((RESULTAT, exercice.resultat)),
    }


def _simplified(company: Company, exercice: Exercice) -> dict[str, list[Donnee]]:
    partners: list[Donnee] = []
    people = [(owner, owner.person) for owner in company.actionnaires if owner.person]
    for rank, (owner, person) in enumerate(people, start=1):
        partners += _repeated(
            rank,
            (ASSOCIE_NOM.code_nref, f"{person.nom} {person.prenoms[0]}"),
            (ASSOCIE_PARTS.code_nref, owner.parts),
            (ASSOCIE_PERCENT.code_nref, owner.percent * 100),
        )
    return {
        "2033A": _filled(
            (ACTIF_SIMPLE, exercice.total),
            (CAPITAL_SIMPLE, exercice.capital),
            (PROPRES_SIMPLE, exercice.capitaux_propres),
            (DETTES_SIMPLE, exercice.dettes),
            (PASSIF_SIMPLE, exercice.total),
        ),
        "2033B": _filled(
            (SERVICES, exercice.chiffre_affaires),
            (SALAIRES_SIMPLE, exercice.salaires),
            (RESULTAT_SIMPLE, exercice.resultat),
        ),
        **({"2033F": partners} if partners else {}),
        "2033G": [{"code_nref": FILIALES_NEANT.code_nref, "valeur": "X"}],
    }


def _repeated(rank: int, *boxes: tuple[str, Any]) -> list[Donnee]:
    """Boxes of one line of a table; those without a value are left out."""
    return [
        {"code_nref": code, "valeurs": {"indiceRepetition": str(rank), "valeur": str(value)}}
        for code, value in boxes
        if value is not None
    ]


def _capital(company: Company, world: World) -> list[Donnee]:
    """Form 2059F: who owns the company. Amounts and percentages travel as hundredths."""
    companies = [owner for owner in company.actionnaires if owner.siren]
    people = [owner for owner in company.actionnaires if owner.person]
    donnees = [
        {"code_nref": "309323", "valeur": str(len(companies) * 100)},
        {"code_nref": "309324", "valeur": str(_hundredths(companies))},
        {"code_nref": "309325", "valeur": str(len(people) * 100)},
        {"code_nref": "309326", "valeur": str(_hundredths(people))},
    ]
    for rank, owner in enumerate(companies, start=1):
        parent = world.company(owner.siren or "")
        if parent:
            donnees += _owner_company(rank, owner, parent)
    for rank, owner in enumerate(people, start=1):
        donnees += _owner_person(rank, owner)
    return donnees


def _hundredths(owners: Sequence[Shareholder]) -> int:
    return sum(owner.parts for owner in owners) * 100


def _place(adresse: Address, *codes: str) -> Iterator[tuple[str, str | None]]:
    """Number, street, hamlet, postal code, town and country, under their six codes."""
    number = adresse.numero_voie and adresse.numero_voie.zfill(4)
    street = f"{adresse.type_voie or ''} {adresse.libelle_voie}".strip()
    town = adresse.libelle_commune or adresse.commune_etrangere
    country = adresse.libelle_pays or "FR"
    values = (number, street, adresse.complement, adresse.code_postal, town, country)
    return zip(codes, values, strict=True)


def _owner_company(rank: int, owner: Shareholder, parent: Company) -> list[Donnee]:
    return _repeated(
        rank,
        ("304857", parent.name),
        ("304859", parent.siren),
        ("306875", FORM_NAMES.get(parent.categorie_juridique, "NS")),
        ("304860", owner.parts * 100),
        ("304861", owner.percent * 100),
        *_place(parent.siege.adresse, "304862", "304863", "304864", "304865", "304866", "304867"),
    )


def _owner_person(rank: int, owner: Shareholder) -> list[Donnee]:
    person = owner.person
    if person is None:
        return []
    return _repeated(
        rank,
        ("304868", f"{person.nom} {person.prenoms[0]}"),
        ("304869", person.nom_usage),
        ("306874", person.civilite),
        ("304870", owner.parts * 100),
        ("304871", owner.percent * 100),
        ("304878", f"{person.naissance:%Y%m%d}"),
        ("905900", person.commune_naissance),
        ("905901", person.code_postal_naissance),
        ("905902", "FR"),
        *_place(person.adresse, "304872", "304873", "304874", "304875", "304876", "304877"),
    )


def _participations(company: Company, world: World) -> list[Donnee]:
    """Form 2059G: what the company owns."""
    owned = world.filiales(company.siren)
    if not owned:
        return [{"code_nref": "305768", "valeur": "X"}]
    donnees: list[Donnee] = [{"code_nref": "309327", "valeur": str(len(owned) * 100)}]
    for rank, (filiale, percent) in enumerate(owned, start=1):
        donnees += _repeated(
            rank,
            ("304958", filiale.name),
            ("304960", filiale.siren),
            ("306876", FORM_NAMES.get(filiale.categorie_juridique, "NS")),
            ("304967", percent * 100),
            *_place(filiale.siege.adresse, "304961", "304962", "304963", "304964", "304965", "304966"),
        )
    return donnees


FORM_NAMES = {"5499": "SARL", "5498": "EURL", "5599": "SA", "5710": "SAS", "5720": "SASU"}
"""Legal forms as tax forms write them; NS (not specified) for the rest."""


ROUTES = (
    Simulated(
        method="POST",
        path="/token",
        form={"grant_type": "client_credentials"},
        handler=oauth_token(TOKEN_SECONDS),
        may_fail=False,
    ),
    Simulated(method="GET", path=BASE + "/etatSante", handler=etat_sante, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/attestationFiscale", handler=attestation_fiscale, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/chiffreAffaires", handler=chiffre_affaires, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/getLiasseFiscale", handler=liasse_fiscale, unauthorised=unauthorised),
    Simulated(method="GET", path=BASE + "/dictionnaire", handler=dictionnaire, unauthorised=unauthorised),
)
