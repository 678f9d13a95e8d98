"""CNETP's certificates, simulated: a PDF, or a text in ISO-8859-1 that says it is one."""

from starlette.responses import Response

from providers.simulator import pdf
from providers.simulator.company import Company
from providers.simulator.routes import Incoming, Simulated

ABSENT = "Aucun dossier fictif ne répond à ce SIREN, référencé nulle part".encode("latin-1")


def attestation(call: Incoming) -> Response:
    """`/webservice/doc/attestations/entreprises`."""
    if not (call.parameters.get("id") and call.parameters.get("jeton")):
        return Response("", 401)
    company = call.world.company(call.parameters.get("siren", ""))
    if company is None or company.ceased or "cnetp" not in company.dossiers:
        return Response(ABSENT, 404, {"content-type": "application/pdf;charset=ISO-8859-1"})
    disposition = 'form-data; name="attestation.pdf"; filename="attestation.pdf"'
    return Response(
        pdf.write([_lines(company, call)]), headers={"content-disposition": disposition}, media_type="application/pdf"
    )


def _lines(company: Company, call: Incoming) -> list[str]:
    return [
        "Caisse simulée de congés des travaux publics - document fictif, sans valeur",
        f"Le {call.today:%d/%m/%Y}",
        f"Entreprise : {company.name}",
        f"Siren : {company.siren}",
        f"Adresse : {company.siege.adresse.voie}, {company.siege.adresse.ville}",
        f"Salariés déclarés : {company.headcount}",
        "Les cotisations de congés payés et de chômage-intempéries appelées à ce jour sont réglées.",
    ]


ROUTES = (Simulated(method="GET", path="/webservice/doc/attestations/entreprises", handler=attestation),)
