"""The Quiforme base, simulated: one establishment, or a skeleton of nulls where it is not known."""

from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Company
from providers.simulator.dice import Dice
from providers.simulator.identifiers import siren_of, siret_of
from providers.simulator.routes import Incoming, Simulated, json_reply

YEAR = timedelta(days=365)
CERTIFIER = siret_of(siren_of("00004001"), "0001")
"""The commune of the world, for want of a body that certifies."""

SPECIALITIES = (
    ("114", "Mathématiques"),
    ("128", "Droit"),
    ("313", "Finances et assurances"),
    ("314", "Comptabilité et gestion"),
    ("326", "Informatique et réseaux"),
    ("333", "Enseignement et formation"),
)
STATES = ("Actif", "Actif", "Inactif", "Supprimé")
WAYS = ("Qualiopi direct sur le NDA", "Qualiopi par propagation via le siren", None)


def organisme(call: Incoming) -> Response:
    """`/organisme/{siret}`."""
    if not call.headers.get("token-connexion"):
        return json_reply({"detail": "Jeton absent"}, 401)
    siret = call.arguments["siret"]
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    known = company is not None and not company.ceased and "carif_oref" in company.dossiers
    return json_reply(_known(company, siret, call.today) if company and known else _unknown())


def _unknown() -> dict[str, Any]:
    return {
        "siret_actif": None,
        "etablissement": {"siren": None, "denomination": None, "uai": None},
        "unite_legale": {"raison_sociale": None, "multinda": None},
        "adresse_ban": [{"adresse_editorialisee": None}],
        "nda": [{"nda": None, "actif": None, "obtention_qualiopi": None}],
        "habilitations": [{"code_fc": None, "actif": None, "certificateur": [{"siret": None}]}],
    }


def _known(company: Company, siret: str, today: date) -> dict[str, Any]:
    dice = Dice(f"carif_oref/{siret}")
    is_school = company.categorie_juridique.startswith("7")
    return {
        "siret_actif": siret,
        "etablissement": {
            "siren": company.siren,
            "denomination": company.name,
            "code_ape": company.activity.naf,
            "uai": f"000{dice.between('uai', 1000, 9999)}Z" if is_school else None,
        },
        "unite_legale": {
            "raison_sociale": company.name,
            "cat_juridique": company.categorie_juridique,
            "multinda": False,
        },
        "adresse_ban": [{"adresse_editorialisee": f"{company.siege.adresse.voie} {company.siege.adresse.ville}"}],
        "nda": [_declaration(dice, today)],
        "habilitations": [
            _habilitation(Dice(f"carif_oref/{siret}/{n}"), n, today) for n in range(dice.between("count", 1, 4))
        ],
    }


def _declaration(dice: Dice, today: date) -> dict[str, Any]:
    place = dice.roll("speciality", len(SPECIALITIES))
    chosen = (*(SPECIALITIES[place:] + SPECIALITIES[:place])[: dice.between("specialities", 1, 3)], *[(None, None)] * 3)
    return {
        "nda": "99" + dice.letters("nda", 9, "0123456789"),
        "cfa": False,
        "actif": True,
        "date_derniere_declaration": f"{today.year - 1}-04-30",
        "debut_exercice": f"{today.year - 2}-01-01",
        "fin_exercice": f"{today.year - 2}-12-31",
        **{f"code_specialite_{n}": chosen[n - 1][0] for n in (1, 2, 3)},
        **{f"libelle_specialite_{n}": chosen[n - 1][1] for n in (1, 2, 3)},
        "qualiopi_action_formation": True,
        "qualiopi_bilan_competence": dice.chance("bilan", 30),
        "qualiopi_vae": dice.chance("vae", 20),
        "qualiopi_apprentissage": dice.chance("apprentissage", 40),
        "obtention_qualiopi": dice.pick("way", WAYS),
    }


def _habilitation(dice: Dice, place: int, today: date) -> dict[str, Any]:
    state = STATES[0] if place == 0 else dice.pick("state", STATES)
    decided = dice.day("decided", today - 3 * YEAR, today)
    ending = decided + 5 * YEAR
    return {
        "code_fc": f"{dice.pick('register', ('RNCP', 'RS'))}{dice.between('code', 10000, 49999)}",
        "actif": state == "Actif",
        "etat_habilitation": state,
        "libelle": "Certification fictive",
        "date_habilitation": f"{decided + timedelta(days=6):%d/%m/%Y}" if dice.chance("dated", 70) else None,
        "date_fin_enregistrement": f"{ending:%d/%m/%Y}",
        "date_decision": f"{decided:%d/%m/%Y}",
        "a_former": True,
        "a_organiser": dice.chance("examines", 50),
        "certificateur": [{"siret": CERTIFIER}],
    }


ROUTES = (Simulated(method="GET", path="/organisme/{siret}", handler=organisme),)
