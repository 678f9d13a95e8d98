"""The words from which companies are made: towns, trades, syllables, names. Read from `vocabulary.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from providers.simulator.company import Activity, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A real town, with the commercial court that registers its companies."""

    name: str
    code: str
    postal_code: str
    greffe: str
    greffe_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All the words, by what they are for."""

    syllables: tuple[tuple[str, ...], ...]
    surnames: tuple[str, ...]
    given_names: Mapping[str, tuple[str, ...]]
    streets: tuple[str, ...]
    street_types: tuple[str, ...]
    purposes: tuple[str, ...]
    towns: tuple[Town, ...]
    forms: Mapping[Kind, tuple[str, ...]]
    activities: Mapping[Kind, tuple[Activity, ...]]

    def town(self, name: str) -> Town:
        """The town of that name."""
        return next(town for town in self.towns if town.name == name)

    def activity(self, naf: str) -> Activity:
        """The trade with that NAF rev. 2 code."""
        return next(activity for kind in Kind for activity in self.activities[kind] if activity.naf == naf)


def read_vocabulary() -> Vocabulary:
    """The vocabulary that comes with the package."""
    told = tomllib.loads((files("providers.simulator") / "vocabulary.toml").read_text(encoding="utf-8"))
    activities: dict[Kind, list[Activity]] = {kind: [] for kind in Kind}
    for row in told["activities"]:
        activities[Kind(row["kind"])].append(
            Activity(
                naf=row["naf"],
                naf25=row["naf25"],
                word=row["word"],
                conventions=tuple(row.get("conventions", ())),
                dossiers=frozenset(row.get("dossiers", ())),
            )
        )
    return Vocabulary(
        syllables=tuple(tuple(group) for group in told["syllables"]),
        surnames=tuple(told["surnames"]),
        given_names={sexe: tuple(names) for sexe, names in told["given_names"].items()},
        streets=tuple(told["streets"]),
        street_types=tuple(told["street_types"]),
        purposes=tuple(told["purposes"]),
        towns=tuple(Town(**{"greffe_name": row["name"], **row}) for row in told["towns"]),
        forms={kind: tuple(told["kinds"][kind]["forms"]) for kind in Kind},
        activities={kind: tuple(rows) for kind, rows in activities.items()},
    )
