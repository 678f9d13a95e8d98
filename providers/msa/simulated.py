"""MSA's answers, simulated: a letter, whoever is asked about."""

from starlette.responses import Response

from providers.simulator.routes import Incoming, Simulated, json_reply


def conformite(call: Incoming) -> Response:
    """`/conformites/{siret}`: what is not known is told by a letter too."""
    siret = call.arguments["siret"]
    company = call.world.company(siret[:9]) if call.world.establishment(siret) else None
    known = company is not None and not company.ceased and "msa" in company.dossiers
    letter = company.peculiarities.get("msa", "O") if company and known else "S"
    return json_reply({"TopRMPResponse": {"identifiantDebiteur": siret, "topRegMarchePublic": letter}})


ROUTES = (Simulated(method="GET", path="/conformites/{siret}", handler=conformite),)
