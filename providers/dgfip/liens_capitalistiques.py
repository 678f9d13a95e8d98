"""Liens capitalistiques: who owns a company and what it owns, as two forms of its tax return tell (2059F and 2059G)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from config.quotas import JSON_RESOURCES
from providers.base import (
    PERIMETER,
    Cache,
    Call,
    Contract,
    Empty,
    Endpoint,
    Failure,
    OneOrMany,
    Reply,
    Single,
    Tool,
    Wire,
)
from providers.dgfip.adelie import ADELIE
from providers.dgfip.declarations import FAILURES, YEAR, Declaration, first, request

CAPITAL, PARTICIPATIONS = "2059F", "2059G"


class Sent(Wire):
    """What DGFIP sends: the whole return, of which two forms are read."""

    declarations: OneOrMany[Declaration]


class Adresse(Contract):
    """An address, as it was filled in."""

    numero: str | None = Field(title="Numéro dans la voie", examples=["0012"])
    voie: str | None = Field(title="Type et nom de la voie", examples=["RUE DE L'EXEMPLE"])
    lieu_dit_hameau: str | None = Field(title="Lieu-dit ou hameau", examples=["LE MOULIN"])
    code_postal: str | None = Field(title="Code postal", examples=["75001"])
    ville: str | None = Field(title="Commune", examples=["PARIS"])
    pays: str | None = Field(title="Code du pays", examples=["FR"])


class DateNaissance(Contract):
    """A birth date, of which the day is not told."""

    annee: str | None = Field(title="Année de naissance", examples=["1970"])
    mois: str | None = Field(title="Mois de naissance", examples=["04"])


class PersonnePhysique(Contract):
    """What is told of a shareholder who is a natural person; all null for a legal person."""

    civilite: str | None = Field(title="Civilité", examples=["MME"])
    nom_patronymique_et_prenoms: str | None = Field(title="Nom de naissance et prénoms", examples=["EXEMPLE Camille"])
    nom_marital: str | None = Field(title="Nom d'usage", examples=["MODELE"])
    date_naissance: DateNaissance = Field(title="Date de naissance, sans le jour")


class PersonneMorale(Contract):
    """What is told of a shareholder that is a legal person; all null for a natural person."""

    siren: str | None = Field(title="SIREN de l'actionnaire", examples=["999500007"])
    denomination: str | None = Field(title="Dénomination", examples=["EXEMPLE HOLDING"])
    complement_denomination: str | None = Field(title="Complément de dénomination", examples=["GROUPE EXEMPLE"])
    forme_juridique: str | None = Field(title="Forme juridique, telle que déclarée", examples=["SAS"])


class Actionnaire(Contract):
    """A shareholder."""

    type: Literal["personne_morale", "personne_physique"] = Field(title="Nature de l'actionnaire")
    pourcentage: float | None = Field(title="Part du capital détenue, en pour cent", examples=[51.0])
    nombre_parts: int | None = Field(title="Nombre de parts ou d'actions détenues", examples=[510])
    personne_physique_attributes: PersonnePhysique = Field(title="Identité, pour une personne physique")
    personne_morale_attributes: PersonneMorale = Field(title="Identité, pour une personne morale")
    adresse: Adresse = Field(title="Adresse de l'actionnaire")


class Repartition(Contract):
    """What one nature of shareholders holds together."""

    total_actions: int | None = Field(title="Nombre total de parts ou d'actions", examples=[510])
    nombre: int | None = Field(title="Nombre d'actionnaires", examples=[1])


class Repartitions(Contract):
    """How the capital is shared between the two natures."""

    personnes_physiques: Repartition = Field(title="Part des personnes physiques")
    personnes_morales: Repartition = Field(title="Part des personnes morales")


class Capital(Contract):
    """The capital, from form 2059F."""

    actionnaires: list[Actionnaire] = Field(title="Actionnaires : personnes morales, puis personnes physiques")
    repartition: Repartitions = Field(title="Répartition du capital")
    depose_neant: bool | None = Field(
        title="Imprimé 2059F déposé à néant",
        description="Nul quand l'imprimé n'a pas été déposé.",
        examples=[False],
    )


class Filiale(Contract):
    """A company of which this one owns a share."""

    siren: str | None = Field(title="SIREN de la filiale", examples=["999500015"])
    denomination: str | None = Field(title="Dénomination", examples=["EXEMPLE FILIALE"])
    complement_denomination: str | None = Field(title="Complément de dénomination", examples=["GROUPE EXEMPLE"])
    forme_juridique: str | None = Field(title="Forme juridique, telle que déclarée", examples=["SA"])
    pourcentage_detention: float | None = Field(title="Part du capital de la filiale, en pour cent", examples=[42.0])
    adresse: Adresse = Field(title="Adresse de la filiale")


class Participations(Contract):
    """What the company owns, from form 2059G."""

    filiales: list[Filiale] = Field(title="Filiales et participations")
    nombre_filiales: int | None = Field(title="Nombre de filiales et participations", examples=[1])
    depose_neant: bool | None = Field(
        title="Imprimé 2059G déposé à néant",
        description="Nul quand l'imprimé n'a pas été déposé.",
        examples=[False],
    )


class Liens(Contract):
    """Upstream and downstream."""

    capital: Capital = Field(title="Composition du capital")
    participations: Participations = Field(title="Participations détenues")


LiensCapitalistiques = Single[Liens, Empty, Empty]


@dataclass(frozen=True)
class Form:
    """A form: the values of its codes, by place; None where it was not filed."""

    filed: Mapping[str, list[str | None]] | None

    def at(self, code: int, place: int = 0) -> str | None:
        """The value at that place."""
        values = self._values(code)
        return values[place] if place < len(values) else None

    def places(self, *codes: int) -> range:
        """As many places as the longest of these fields has values."""
        return range(max(len(self._values(code)) for code in codes))

    def has(self, code: int) -> bool | None:
        """Whether a box is ticked."""
        return None if self.filed is None else self.at(code) is not None

    def integer(self, code: int, place: int = 0) -> int | None:
        """A number that is sent a hundred times too large, rounded down."""
        hundredths = _number(self.at(code, place))
        return None if hundredths is None else hundredths // 100

    def percentage(self, code: int, place: int = 0) -> float | None:
        """A percentage that is sent a hundred times too large."""
        hundredths = _number(self.at(code, place))
        return None if hundredths is None else hundredths / 100

    def adresse(self, code: int, place: int) -> Adresse:
        """An address, whose six fields bear consecutive codes."""
        return Adresse(**{name: self.at(code + offset, place) for offset, name in enumerate(Adresse.model_fields)})

    def _values(self, code: int) -> list[str | None]:
        return (self.filed or {}).get(str(code), [])


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _form(declarations: list[Declaration], number: str) -> Form:
    declaration = first(declarations, number)
    return Form(declaration.values if declaration else None)


def _date_naissance(text: str | None) -> DateNaissance:
    known = text is not None and len(text) == 8 and text.isdigit()
    return DateNaissance(annee=text[:4] if text and known else None, mois=text[4:6] if text and known else None)


NOT_PHYSIQUE = PersonnePhysique(
    civilite=None,
    nom_patronymique_et_prenoms=None,
    nom_marital=None,
    date_naissance=DateNaissance(annee=None, mois=None),
)
NOT_MORALE = PersonneMorale(siren=None, denomination=None, complement_denomination=None, forme_juridique=None)


def _personne_morale(form: Form, place: int) -> Actionnaire:
    return Actionnaire(
        type="personne_morale",
        pourcentage=form.percentage(304861, place),
        nombre_parts=form.integer(304860, place),
        personne_physique_attributes=NOT_PHYSIQUE,
        personne_morale_attributes=PersonneMorale(
            siren=form.at(304859, place),
            denomination=form.at(304857, place),
            complement_denomination=form.at(304858, place),
            forme_juridique=form.at(306875, place),
        ),
        adresse=form.adresse(304862, place),
    )


def _personne_physique(form: Form, place: int) -> Actionnaire:
    return Actionnaire(
        type="personne_physique",
        pourcentage=form.percentage(304871, place),
        nombre_parts=form.integer(304870, place),
        personne_physique_attributes=PersonnePhysique(
            civilite=form.at(306874, place),
            nom_patronymique_et_prenoms=form.at(304868, place),
            nom_marital=form.at(304869, place),
            date_naissance=_date_naissance(form.at(304878, place)),
        ),
        personne_morale_attributes=NOT_MORALE,
        adresse=form.adresse(304872, place),
    )


def _capital(form: Form) -> Capital:
    # A company abroad has a name and no SIREN: it counts as well.
    morales = [_personne_morale(form, place) for place in form.places(304859, 304857)]
    physiques = [_personne_physique(form, place) for place in form.places(304868)]
    return Capital(
        actionnaires=morales + physiques,
        repartition=Repartitions(
            personnes_physiques=Repartition(total_actions=form.integer(309326), nombre=form.integer(309325)),
            personnes_morales=Repartition(total_actions=form.integer(309324), nombre=form.integer(309323)),
        ),
        depose_neant=form.has(305767),
    )


def _filiale(form: Form, place: int) -> Filiale:
    return Filiale(
        siren=form.at(304960, place),
        denomination=form.at(304958, place),
        complement_denomination=form.at(304959, place),
        forme_juridique=form.at(306876, place),
        pourcentage_detention=form.percentage(304967, place),
        adresse=form.adresse(304961, place),
    )


def _participations(form: Form) -> Participations:
    return Participations(
        filiales=[_filiale(form, place) for place in form.places(304960, 304958)],
        nombre_filiales=form.integer(309327),
        depose_neant=form.has(305768),
    )


def normalise(sent: Sent, call: Call) -> LiensCapitalistiques:
    """The first form 2059F tells the capital, the first form 2059G the participations."""
    del call
    return LiensCapitalistiques(
        data=Liens(
            capital=_capital(_form(sent.declarations, CAPITAL)),
            participations=_participations(_form(sent.declarations, PARTICIPATIONS)),
        ),
        links=Empty(),
        meta=Empty(),
    )


def _forms(reply: Reply) -> set[str]:
    declarations = reply.find("declarations")
    listed = declarations if isinstance(declarations, list) else [declarations]
    return {str(declaration.get("numero_imprime")) for declaration in listed if isinstance(declaration, dict)}


def neither_form_filed(reply: Reply) -> bool:
    """The return is there, without the two forms that tell of links."""
    return reply.status == 200 and reply.is_json and not _forms(reply) & {CAPITAL, PARTICIPATIONS}


NO_LINK = f"L'entreprise n'a déposé ni imprimé 2059F ni imprimé 2059G au titre de cette année. {PERIMETER}"

liens_capitalistiques_v3 = Endpoint(
    operation_id="api_entreprise_v3_dgfip_liens_capitalistiques",
    path="/v3/dgfip/unites_legales/{siren}/liens_capitalistiques/{year}",
    mcp=Tool(name="dgfip.liens_capitalistiques"),
    title="Liens capitalistiques",
    description="Actionnaires et filiales de l'entreprise, lus dans les imprimés 2059F et 2059G de sa liasse fiscale.",
    tag="Informations financières",
    scopes=frozenset({"liasse_fiscale", "liasses_fiscales_dgfip", "liens_capitalistiques_dgfip"}),
    quota=JSON_RESOURCES,
    cache=Cache.during(hours=1),
    provider=ADELIE,
    request=request,
    wire=Sent,
    failures=(
        *FAILURES,
        # What was filed for a past year does not change from one call to the next.
        Failure.NOT_FOUND.when(neither_form_filed, detail=NO_LINK, cacheable=True),
    ),
    normalise=normalise,
    parameters=(YEAR,),
    accumulates=True,
)
