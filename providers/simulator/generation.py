"""How a company is made from its SIREN alone, or from what `companies.toml` tells of it and its SIREN for the rest.

The same SIREN always gives the same company, in every process and every version of the data that tells nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from providers.simulator.company import (
    Activity,
    Address,
    Association,
    Company,
    Diffusion,
    Establishment,
    Former,
    Kind,
    Officer,
    Person,
    Shareholder,
)
from providers.simulator.dice import Dice
from providers.simulator.identifiers import rna_of, siret_of
from providers.simulator.vocabulary import Town, Vocabulary

UNTOLD: Mapping[str, Any] = {}
OLDEST, NEWEST = date(1975, 1, 1), date(2021, 12, 31)
"""Between which generated companies are created."""
LAST_UPDATE = date(2025, 6, 30)

ROLES = {
    "5710": (("Président de SAS", "73"), ("Directeur Général", "53")),
    "5720": (("Président de SAS", "73"),),
    "5599": (("Président du conseil d'administration et directeur général", "60"), ("Administrateur", "65")),
    "9220": (("Président", "205"), ("Autre", "99")),
    "9230": (("Président", "205"), ("Autre", "99")),
    "9260": (("Président", "205"), ("Autre", "99")),
    "7210": (),
    "1000": (),
}
"""The officers of each legal form, with their codes in the national register; elsewhere one manager."""
MANAGER = (("Gérant", "30"),)
AUDITED = frozenset({"5599"})
"""Legal forms that have an auditor, himself a company."""


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes companies out of a vocabulary."""

    vocabulary: Vocabulary

    def company(self, siren: str, kind: Kind, told: Mapping[str, Any] = UNTOLD) -> Company:
        """The company with that SIREN; what is told of it wins over chance."""
        dice = Dice(siren or told["rna"])
        form = told.get("form") or dice.pick("form", self.vocabulary.forms[kind])
        activity = self._activity(dice, kind, told)
        created = told.get("created") or dice.day("created", OLDEST, NEWEST)
        town = self._town(dice, "siege", told)
        etablissements = self._etablissements(dice, siren, kind, created, activity, town, told) if siren else ()
        person = self._person(dice, "entrepreneur", told.get("person", UNTOLD)) if kind is Kind.ENTREPRENEUR else None
        capital = told.get("capital", _capital(dice, kind))
        name = f"{person.nom} {' '.join(person.prenoms)}" if person else told.get("name") or self._name(dice, kind)
        former = told.get("former")
        return Company(
            siren=siren,
            kind=kind,
            name=name,
            sigle=told.get("sigle"),
            trade_name=told.get("trade_name"),
            person=person,
            categorie_juridique=form,
            activity=activity,
            created=created,
            ceased=told.get("ceased"),
            former=Former(name=former["name"], until=former["until"]) if former else None,
            updated=_moment(dice, "updated", told.get("ceased") or date(2022, 1, 1)),
            diffusion=Diffusion(told.get("diffusion", "O")),
            headcount=sum(etablissement.headcount for etablissement in etablissements),
            economie_sociale=told.get("economie_sociale", kind is Kind.ASSOCIATION),
            societe_mission=told.get("societe_mission", False),
            capital=capital,
            base_turnover=told.get("turnover", dice.between("turnover", 80, 4_000) * 1_013),
            closing_month=told.get("closing_month") or dice.pick("closing", (12, 12, 12, 3, 6, 9)),
            association=self._association(dice, siren, created, town, told) if kind is Kind.ASSOCIATION else None,
            etablissements=etablissements,
            dirigeants=self._dirigeants(dice, form, told),
            actionnaires=self._actionnaires(dice, kind, capital, told),
            dossiers=activity.dossiers | frozenset(told.get("dossiers", ())),
            greffe=(town.greffe, town.greffe_name),
            peculiarities=told.get("peculiarities", {}),
            note=told.get("note", ""),
        )

    def _activity(self, dice: Dice, kind: Kind, told: Mapping[str, Any]) -> Activity:
        if "naf" in told:
            return self.vocabulary.activity(told["naf"])
        return dice.pick("activity", self.vocabulary.activities[kind])

    def _town(self, dice: Dice, name: str, told: Mapping[str, Any]) -> Town:
        return (
            self.vocabulary.town(told["town"]) if "town" in told else dice.pick(f"{name}/town", self.vocabulary.towns)
        )

    def _name(self, dice: Dice, kind: Kind) -> str:
        invented = "".join(dice.pick(f"name/{place}", group) for place, group in enumerate(self.vocabulary.syllables))
        word = self._activity(dice, kind, UNTOLD).word
        return f"{invented} {word}" if kind is Kind.SOCIETE else f"{word} {invented}"

    def _address(self, dice: Dice, name: str, town: Town, told: Mapping[str, Any] = UNTOLD) -> Address:
        if "code_pays" in told:
            return Address(**told)
        chosen = {
            "numero_voie": str(dice.between(f"{name}/number", 1, 180)),
            "type_voie": dice.pick(f"{name}/type", self.vocabulary.street_types),
            "libelle_voie": dice.pick(f"{name}/street", self.vocabulary.streets),
            "code_postal": town.postal_code,
            "code_commune": town.code,
            "libelle_commune": town.name,
        }
        return Address(**{**chosen, **told})

    def _person(self, dice: Dice, name: str, told: Mapping[str, Any] = UNTOLD) -> Person:
        sexe = told.get("sexe") or dice.pick(f"{name}/sexe", ("F", "M"))
        first = dice.pick(f"{name}/first", self.vocabulary.given_names[sexe])
        second = dice.pick(f"{name}/second", self.vocabulary.given_names[sexe])
        home = dice.pick(f"{name}/home", self.vocabulary.towns)
        birthplace = dice.pick(f"{name}/birthplace", self.vocabulary.towns)
        return Person(
            sexe=sexe,
            nom=told.get("nom") or dice.pick(f"{name}/surname", self.vocabulary.surnames),
            prenoms=tuple(told.get("prenoms") or ((first,) if first == second else (first, second))),
            nom_usage=told.get("nom_usage"),
            pseudonyme=told.get("pseudonyme"),
            naissance=told.get("naissance") or dice.day(f"{name}/born", date(1950, 1, 1), date(1998, 12, 31)),
            commune_naissance=birthplace.name,
            code_postal_naissance=birthplace.postal_code,
            adresse=self._address(dice, f"{name}/address", home),
        )

    def _etablissements(
        self,
        dice: Dice,
        siren: str,
        kind: Kind,
        created: date,
        activity: Activity,
        town: Town,
        told: Mapping[str, Any],
    ) -> tuple[Establishment, ...]:
        rows: Sequence[Mapping[str, Any]] = told.get("etablissements") or [
            {} for _ in range(dice.between("places", 1, 3) if kind is Kind.SOCIETE else 1)
        ]
        siege = next((place for place, row in enumerate(rows) if row.get("siege")), 0)
        made = []
        for place, row in enumerate(rows):
            here = town if place == siege and "town" not in row else self._town(dice, f"place/{place}", row)
            opened = row.get("opened") or (created if place == 0 else dice.day(f"opened/{place}", created, NEWEST))
            closed = row.get("closed") or told.get("ceased")
            made.append(
                Establishment(
                    siret=siret_of(siren, row.get("order") or f"{place + 1:04d}"),
                    adresse=self._address(dice, f"place/{place}", here, row.get("address", UNTOLD)),
                    opened=opened,
                    closed=closed,
                    is_siege=place == siege,
                    enseignes=tuple(row.get("enseignes", ())),
                    activity=self.vocabulary.activity(row["naf"]) if "naf" in row else activity,
                    headcount=0 if closed else row.get("headcount", _headcount(dice, kind, place)),
                    diffusion=Diffusion(row.get("diffusion") or told.get("diffusion", "O")),
                    updated=_moment(dice, f"updated/{place}", closed or date(2022, 1, 1)),
                )
            )
        return tuple(made)

    def _association(self, dice: Dice, siren: str, created: date, town: Town, told: Mapping[str, Any]) -> Association:
        declared = created if created.year > 1900 else date(1921, 3, 14)
        return Association(
            rna=told.get("rna") or rna_of(siren),
            objet=told.get("objet") or dice.pick("purpose", self.vocabulary.purposes),
            declared=declared,
            published=declared + timedelta(days=dice.between("published", 8, 40)),
            dissolved=told.get("ceased"),
            regime=told.get("regime", "loi1901"),
            utilite_publique=told.get("utilite_publique", False),
            adresse=self._address(dice, "place/0", town),
            volunteers=dice.between("volunteers", 3, 80),
            members=dice.between("members", 20, 900),
            subventions=dice.between("subventions", 0, 60) * 500,
        )

    def _dirigeants(self, dice: Dice, form: str, told: Mapping[str, Any]) -> tuple[Officer, ...]:
        roles = ROLES.get(form, MANAGER)
        officers = [
            Officer(qualite=qualite, role=role, person=self._person(dice, f"officer/{place}"))
            for place, (qualite, role) in enumerate(roles)
        ]
        officers += [Officer(**row) for row in told.get("dirigeants", ())]
        if form in AUDITED and not told.get("dirigeants"):
            name = f"{dice.pick('audit', self.vocabulary.surnames)} AUDIT FICTIF"
            officers.append(Officer(qualite="Commissaire aux comptes titulaire", role="71", denomination=name))
        return tuple(officers)

    def _actionnaires(self, dice: Dice, kind: Kind, capital: int, told: Mapping[str, Any]) -> tuple[Shareholder, ...]:
        if kind is not Kind.SOCIETE:
            return ()
        parts = max(capital // 10, 100)
        owners = [
            Shareholder(percent=row["percent"], parts=parts * row["percent"] // 100, siren=row["siren"])
            for row in told.get("actionnaires", ())
        ]
        left = 100 - sum(owner.percent for owner in owners)
        shares = (left - left // 3, left // 3) if left >= 30 and dice.chance("partners", 60) else (left,)
        for place, percent in enumerate(share for share in shares if share):
            person = self._person(dice, f"officer/{place}")  # the managers own the company
            owners.append(Shareholder(percent=percent, parts=parts * percent // 100, person=person))
        return tuple(owners)


def _capital(dice: Dice, kind: Kind) -> int:
    return dice.pick("capital", (1_000, 5_000, 7_500, 10_000, 37_000, 50_000, 150_000)) if kind is Kind.SOCIETE else 0


def _headcount(dice: Dice, kind: Kind, place: int) -> int:
    if kind is Kind.ENTREPRENEUR:
        return 0
    return dice.pick(f"headcount/{place}", (0, 1, 2, 4, 5, 8, 12, 16, 25, 40, 60, 120))


def _moment(dice: Dice, name: str, after: date) -> datetime:
    day = dice.day(name, after, max(LAST_UPDATE, after))
    seconds = dice.roll(f"{name}/time", 14 * 3600)
    return datetime.combine(day, time(6)) + timedelta(seconds=seconds)
