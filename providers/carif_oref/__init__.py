"""CARIF-OREF: the regional bodies that know the supply of training, and keep the Quiforme base together.

It says, by SIRET, under which numbers a training establishment is declared, what Qualiopi certifies of it, and for
which qualifications France compétences lets it train or examine.
"""

from providers.base import Adapter, Ping, Retriever
from providers.carif_oref.certifications_qualiopi import (
    CARIF_OREF,
    QualiopiFranceCompetences,
    certifications_qualiopi_france_competences_v3,
)


def _holds_habilitations(answer: QualiopiFranceCompetences) -> bool:
    return bool(answer.data.habilitations_france_competence)


ADAPTER = Adapter(
    slug="carif_oref",
    title="CARIF-OREF",
    endpoints=(certifications_qualiopi_france_competences_v3,),
    pings=(
        Ping(
            path="carif_oref/qualiopi",
            name="Carif Oref - Certifications Qualiopi France Competences",  # as the status page spells it
            provider=CARIF_OREF,
            driver=Retriever(
                endpoint=certifications_qualiopi_france_competences_v3,
                identifiers={"siret": "19753471200017"},
                accepts=_holds_habilitations,
            ),
            minutes=5,
        ),
    ),
)
