"""The tables of `docs/reference/simulator.md`, made from the data they describe.

`python -m providers.simulator.reference docs/reference/simulator.md` writes them anew between their marks.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from providers.simulator.faults import FAULTS
from providers.simulator.world import GENERATED, World

MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables(world: World) -> dict[str, str]:
    """Each table by its name."""
    return {
        "companies": _table(
            ("SIREN", "SIRET of the head office", "RNA", "Name", "What it shows"),
            (
                (
                    _code(company.siren),
                    _code(company.siege.siret if company.etablissements else ""),
                    _code(company.rna or ""),
                    company.name,
                    company.note,
                )
                for company in world.companies
            ),
        ),
        "duplicates": _table(
            ("SIREN", "Redirects to"), ((_code(siren), _code(target)) for siren, target in world.duplicates.items())
        ),
        "generated": _table(
            ("SIREN that begin with", "Are"), ((_code(first), kind.value) for first, kind in GENERATED.items())
        ),
        "faults": _table(
            ("SIREN", "Name", "What happens"), ((_code(f.siren), _code(f.name), f.summary) for f in FAULTS)
        ),
    }


def refresh(page: str, world: World) -> str:
    """The page, with its tables made anew."""
    made = tables(world)
    return MARKED.sub(lambda mark: f"{mark[1]}{made[mark[2]]}{mark[3]}", page)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(refresh(target.read_text(encoding="utf-8"), World.load()), encoding="utf-8")
