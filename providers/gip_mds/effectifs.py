"""Effectifs: how many people work for a company over a year, or in a place of business month by month."""

import re
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel

from config.quotas import GIP_MDS
from providers.base import (
    PERIMETER,
    Cache,
    Call,
    Contract,
    Empty,
    Endpoint,
    Failure,
    Formats,
    Get,
    Parameter,
    Request,
    Single,
    Wire,
)
from providers.base.models import calendar_day
from providers.gip_mds.rcd import (
    OVER_QUOTA,
    RCD,
    REFUSED,
    TECHNICAL,
    is_not_rows,
    is_technical,
    lacks_a_regime,
    nothing_is_known,
    seconds_until_open,
)

REGIMES = {"RA": "regime_agricole", "RG": "regime_general"}
NATURES = {
    "A01": "effectif_moyen_annuel",
    "A02": "effectif_boeth_annuel",
    "A03": "effectif_ecap_annuel",
    "A04": "effectif_assujettissement_oeth_annuel",
    "M01": "effectif_moyen_mensuel",
    "M02": "effectif_boeth_mensuel",
    "M03": "effectif_ecap_mensuel",
    "M04": "effectif_assujettissement_oeth_mensuel",
}
ASKED = {"boeth": "02", "ecap": "03", "assujettissement_oeth": "04"}
"""What may be asked for; anything else is the average."""

Periode = Annotated[str, Field(pattern=r"^\d{8}$")]
Regime = Literal["regime_agricole", "regime_general"]


class Ligne(Wire):
    """What GIP-MDS sends, a row for each scheme and period: a number as text, or NC where nothing is known."""

    periode: Periode
    nature: Literal["A01", "A02", "A03", "A04", "M01", "M02", "M03", "M04"]
    source: Literal["RA", "RG"]
    effectifs: float | Literal["NC"]
    mise_a_jour: Annotated[date | None, BeforeValidator(calendar_day)] = Field(None, alias="miseAJourRCD")

    @property
    def value(self) -> float | None:
        """The head count, null where it is not known."""
        return None if self.effectifs == "NC" else self.effectifs

    @property
    def updated(self) -> date | None:
        """When it was last brought up to date; never, where it is not known."""
        return None if self.effectifs == "NC" else self.mise_a_jour


class Sent(RootModel[list[Ligne]]):
    """The rows, of which there is at least one."""


_REGIME = Field(title="Régime social dont relèvent ces salariés", examples=["regime_general"])
_VALUE = Field(title="Effectif", description="Nul si rien n'est connu dans ce régime.", examples=[12.34])
_UPDATED = Field(title="Date de la dernière mise à jour", examples=["2026-01-15"])
_NATURE = (
    "« moyen » : salariés sous contrat, hors exclusions. « boeth » : bénéficiaires de l'obligation d'emploi des "
    "travailleurs handicapés. « ecap » : emplois qui exigent une aptitude particulière. « assujettissement_oeth » : "
    "effectif qui fixe le niveau de cette obligation."
)


class EffectifAnnuel(Contract):
    """The head count of a scheme over the year."""

    regime: Regime = _REGIME
    nature: Literal[
        "effectif_moyen_annuel",
        "effectif_boeth_annuel",
        "effectif_ecap_annuel",
        "effectif_assujettissement_oeth_annuel",
    ] = Field(title="Nature de l'effectif", description=_NATURE, examples=["effectif_moyen_annuel"])
    value: float | None = _VALUE
    date_derniere_mise_a_jour: date | None = _UPDATED


class EffectifsAnnuels(Contract):
    """The head counts of a company."""

    siren: str = Field(title="SIREN de l'unité légale", examples=["999500002"])
    annee: str = Field(title="Année de référence", examples=["2025"])
    effectifs_annuel: list[EffectifAnnuel] = Field(title="Effectifs de l'année, un par régime")


class EffectifMensuel(Contract):
    """The head count of a scheme in a month."""

    regime: Regime = _REGIME
    annee: str = Field(title="Année", examples=["2025"])
    mois: str = Field(title="Mois, de 01 à 12", examples=["01"])
    nature: Literal[
        "effectif_moyen_mensuel",
        "effectif_boeth_mensuel",
        "effectif_ecap_mensuel",
        "effectif_assujettissement_oeth_mensuel",
    ] = Field(title="Nature de l'effectif", description=_NATURE, examples=["effectif_moyen_mensuel"])
    value: float | None = _VALUE
    date_derniere_mise_a_jour: date | None = _UPDATED


class EffectifsMensuels(Contract):
    """The head counts of a place of business."""

    siret: str = Field(title="SIRET de l'établissement", examples=["99950000200012"])
    effectifs_mensuels: list[EffectifMensuel] = Field(title="Effectifs, un par régime et par mois")


EffectifsDeLAnnee = Single[EffectifsAnnuels, Empty, Empty]
EffectifsDuMois = Single[EffectifsMensuels, Empty, Empty]


def normalise_annuels(sent: Sent, call: Call) -> EffectifsDeLAnnee:
    """A row a scheme; the year is the one of the rows."""
    effectifs = [
        EffectifAnnuel.model_validate(
            {
                "regime": REGIMES[row.source],
                "nature": NATURES[row.nature],
                "value": row.value,
                "date_derniere_mise_a_jour": row.updated,
            }
        )
        for row in sent.root
    ]
    data = EffectifsAnnuels(siren=call.siren, annee=sent.root[0].periode[:4], effectifs_annuel=effectifs)
    return EffectifsDeLAnnee(data=data, links=Empty(), meta=Empty())


def normalise_mensuels(sent: Sent, call: Call) -> EffectifsDuMois:
    """A row a scheme and month."""
    effectifs = [
        EffectifMensuel.model_validate(
            {
                "regime": REGIMES[row.source],
                "annee": row.periode[:4],
                "mois": row.periode[4:6],
                "nature": NATURES[row.nature],
                "value": row.value,
                "date_derniere_mise_a_jour": row.updated,
            }
        )
        for row in sent.root
    ]
    data = EffectifsMensuels(siret=call.siret, effectifs_mensuels=effectifs)
    return EffectifsDuMois(data=data, links=Empty(), meta=Empty())


# The parameters.


def _year(text: str, now: datetime) -> str | None:
    return text if re.fullmatch(r"\d{4}", text, re.ASCII) and 1900 <= int(text) <= now.year else None


def _depth(text: str, _: datetime) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,2}", text, re.ASCII) and int(text) <= 13 else None


YEAR = Parameter(
    name="year",
    format=replace(Formats.YEAR, source=""),
    read=_year,
    title="Année de référence",
    example="2025",
)
MONTH = Parameter(
    name="month",
    format=Formats.MONTH,
    read=lambda text, _: text if re.fullmatch("0[1-9]|1[0-2]", text, re.ASCII) else None,
    title="Mois de référence, de 01 à 12",
    schema={"type": "string", "enum": [f"{month:02d}" for month in range(1, 13)]},
    example="01",
)
PROFONDEUR = Parameter(
    name="profondeur",
    format=Formats.DEPTH,
    read=_depth,
    title="Nombre de mois à rendre, qui finissent par le mois de référence",
    where="query",
    required=False,
    schema={"type": "integer", "default": 0, "minimum": 0, "maximum": 13},
    example=3,
)
NATURE = Parameter(
    name="nature_effectif",
    format=Formats.DEPTH,  # never refused: any other text asks for the average
    read=lambda text, _: text,
    title=f"Nature de l'effectif. {_NATURE}",
    where="query",
    required=False,
    schema={"type": "string", "default": "moyen", "enum": ["moyen", *ASKED]},
    example="moyen",
)


# The rules.


def _request(call: Call, span: str, period: str, **subject: str) -> Request:
    query = {
        "codeOPSDemandeur": "00000DINUM",
        "dateHeure": call.moment.isoformat(timespec="seconds"),
        "source": "RA;RG",
        "nature": span + ASKED.get(call["nature_effectif"] or "", "01"),
        **subject,
        "periode": period,
        "profondeurHistorique": call["profondeur"],
    }
    return Get("/rcd-api/1.0.0/effectifs", query)


FAILURES = (
    Failure.NOT_FOUND.when(
        status=(204, 404), detail=f"Le GIP-MDS ne connaît aucun effectif pour cette période. {PERIMETER}"
    ),
    REFUSED.when(status=(401, 403)),
    OVER_QUOTA.when(status=429, meta=seconds_until_open),
    Failure.INTERNAL.when(status=500),
    TECHNICAL.when(is_technical),
    Failure.UNKNOWN.when(is_not_rows),
    Failure.UNKNOWN.when(lacks_a_regime),
    Failure.NOT_FOUND.when(
        nothing_is_known,
        detail=f"Le GIP-MDS n'a d'effectif dans aucun des deux régimes pour cette période. {PERIMETER}",
    ),
)

effectifs_annuels_v3 = Endpoint(
    operation_id="api_entreprise_v3_gip_mds_effectifs_annuels_entreprise",
    path="/v3/gip_mds/unites_legales/{siren}/effectifs_annuels/{year}",
    title="Effectifs annuels d'une unité légale",
    description="Nombre moyen de salariés de l'entreprise sur l'année, par régime social. Il est connu à la fin de "
    "janvier de l'année suivante.",
    tag="Informations générales",
    scopes=frozenset({"effectifs_urssaf"}),
    quota=GIP_MDS,
    cache=Cache.until_end_of_month("nature_effectif"),
    provider=RCD,
    request=lambda call: _request(call, "A", f"{call['year']}1231", siren=call.siren),
    wire=Sent,
    success=None,  # the body decides, whatever other status
    failures=FAILURES,
    parameters=(YEAR, NATURE),
    accumulates=True,
    normalise=normalise_annuels,
)

effectifs_mensuels_v3 = effectifs_annuels_v3.but(
    operation_id="api_entreprise_v3_gip_mds_effectifs_mensuels_etablissement",
    path="/v3/gip_mds/etablissements/{siret}/effectifs_mensuels/{month}/annee/{year}",
    title="Effectifs mensuels d'un établissement",
    description="Nombre de salariés de l'établissement dans le mois, et dans ceux qui le précèdent, par régime social.",
    cache=Cache.until_end_of_month("profondeur", "nature_effectif"),
    request=lambda call: _request(call, "M", f"{call['year']}{call['month']}01", siret=call.siret),
    parameters=(YEAR, MONTH, PROFONDEUR, NATURE),
    normalise=normalise_mensuels,
)
