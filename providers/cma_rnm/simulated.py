"""The trades register, simulated: a flat object, or a page where there is no entry."""

from datetime import date
from typing import Any

from starlette.responses import Response

from providers.simulator.company import Company, Kind
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated, json_reply

CEASED_ONLY = ("ent_act_date_radiation", "ent_act_date_cessation_activite")
ALWAYS_NULL = ("ent_act_date_cloture_liquidation", "ent_act_date_transfert_patrimoine", "ent_act_date_dissolution")


def inscription(call: Incoming) -> Response:
    """`/v2/entreprises/{siren}?format=json`."""
    company = call.world.company(call.arguments["siren"])
    if company is None or "cma_rnm" not in company.dossiers:
        page = "<html><body><h1>Entreprise non trouvée</h1></body></html>"
        return Response(page.encode("iso-8859-1"), 404, media_type="text/html;charset=ISO-8859-1")
    return json_reply(_inscription(company))


def _inscription(company: Company) -> dict[str, Any]:
    dice = Dice(f"cma_rnm/{company.siren}")
    adresse = company.siege.adresse
    ceased = _moment(company.ceased) if company.ceased else None
    return {
        "id": 1000 + dice.roll("id", 900_000),
        "ent_id_num_gestion": f"{dice.roll('file', 10**9):09d}",
        "ent_id_siren": company.siren,
        "ent_id_origine": "3",
        "ent_adr_numero_voie": adresse.numero_voie or "",
        "ent_adr_indice_repetition": adresse.indice_repetition or "",
        "ent_adr_type_voie": adresse.type_voie or "",
        "ent_adr_adresse": adresse.libelle_voie,
        "ent_adr_adresse_complement": adresse.complement or "",
        "ent_adr_code_postal": adresse.code_postal or "",
        "ent_adr_commune": adresse.libelle_commune or "",
        "ent_adr_commune_cog": adresse.code_commune or "",
        "ent_act_code_nafa_principal": company.activity.naf.replace(".", "") + "A",
        "ent_act_date_immat_rm": _moment(company.created),
        "ent_act_date_debut_activite": _moment(company.created),
        **dict.fromkeys(CEASED_ONLY, ceased),
        **dict.fromkeys(ALWAYS_NULL),
        "ent_act_modalite_exercice": dice.pick("modalite", ("P", "P", "P", "S", "NR")),
        "ent_act_non_sedentaire": dice.pick("itinerant", ("0", "0", "0", "1")),
        "ent_act_denomination_sociale": None if company.person else company.name,
        "ent_act_sigle": company.sigle or "",
        "ent_act_forme_juridique": company.categorie_juridique,
        "ent_eff_salarie": str(company.headcount),
        "ent_eff_apprenti": "0",
        "gest_dept": (adresse.code_postal or "00")[:2],
        "gest_emetteur": f"M{(adresse.code_postal or '00')[:2]}01",
        "gest_categorie": "PP" if company.kind is Kind.ENTREPRENEUR else "PM",
        "dir_id_nom_naissance": company.person.nom if company.person else None,
        "dir_id_prenom_1": company.person.prenoms[0] if company.person else None,
    }


def _moment(day: date) -> str:
    return f"{day}T12:00:00Z"


ROUTES = (Simulated(method="GET", path="/v2/entreprises/{siren}", handler=inscription),)
