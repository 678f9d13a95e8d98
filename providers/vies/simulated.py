"""VIES, simulated: a verdict on any number, with the name and address of those that are in force."""

from starlette.responses import Response

from config.clock import paris
from providers.simulator.company import Company
from providers.simulator.routes import Incoming, Simulated, json_reply

UNSAID = "---"
NOT_COMPARED = 3
"""What VIES says of values that it was not asked to compare."""


def numero(call: Incoming) -> Response:
    """`/taxation_customs/vies/rest-api/ms/FR/vat/{number}`: a key of two digits and a SIREN."""
    number = call.arguments["number"]
    company = call.world.company(number[2:])
    holder = company if company and _is_in_force(company) and company.tva == f"FR{number}" else None
    return json_reply(
        {
            "isValid": holder is not None,
            "requestDate": paris(call.clock).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "userError": "INVALID" if holder is None else "VALID",
            "name": holder.name if holder else "",
            "address": f"{holder.siege.adresse.voie}\n{holder.siege.adresse.ville}" if holder else "",
            "requestIdentifier": "",
            "vatNumber": number,
            "viesApproximate": {
                **dict.fromkeys(("name", "street", "postalCode", "city", "companyType"), UNSAID),
                **dict.fromkeys(
                    ("matchName", "matchStreet", "matchPostalCode", "matchCity", "matchCompanyType"), NOT_COMPARED
                ),
            },
        }
    )


def _is_in_force(company: Company) -> bool:
    return company.is_trading and company.ceased is None


ROUTES = (Simulated(method="GET", path="/taxation_customs/vies/rest-api/ms/FR/vat/{number}", handler=numero),)
