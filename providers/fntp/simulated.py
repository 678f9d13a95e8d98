"""FNTP's professional cards, simulated: a PDF, or an empty 404."""

from starlette.responses import Response

from providers.simulator import pdf
from providers.simulator.company import Company
from providers.simulator.dice import Dice
from providers.simulator.routes import Incoming, Simulated


def carte_professionnelle(call: Incoming) -> Response:
    """`/rip/sgmap/{siren}/cartepro`."""
    if not call.parameters.get("token"):
        return Response("", 403, media_type="text/plain")
    company = call.world.company(call.arguments["siren"])
    if company is None or company.ceased or "fntp" not in company.dossiers:
        return Response("", 404, media_type="text/plain")
    return Response(pdf.write([_lines(company, call.today.year)]), media_type="application/pdf")


def _lines(company: Company, year: int) -> list[str]:
    siege = company.siege.adresse
    return [
        "Fédération simulée des travaux publics - document fictif, sans valeur",
        f"Carte professionnelle d'entrepreneur de travaux publics {year}",
        f"Numéro : {Dice(f'fntp/{company.siren}').letters('number', 6, '0123456789')}",
        f"Entreprise : {company.name}",
        f"Siren : {company.siren}",
        f"Adresse : {siege.voie}, {siege.ville}",
        f"Valable jusqu'au 31/12/{year}",
    ]


ROUTES = (Simulated(method="GET", path="/rip/sgmap/{siren}/cartepro", handler=carte_professionnelle),)
