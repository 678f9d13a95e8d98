"""The board as a page: no script, nothing from elsewhere, and readable without colours."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape

from gateway.status import words
from gateway.status.board import DISTURBED_SHARE, Board, Incident, Maintenance, Share, Standing, State

STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --ground: #fff; --line: #8a8a8a; --soft: #f3f3f3; --link: #0b4f9e;
  --good: #18753c; --fair: #8a5a00; --bad: #b3261e; --none: #767676; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --ground: #161616; --line: #8a8a8a; --soft: #242424;
  --link: #8ab8f0; --good: #6fcf8e; --fair: #f2b84b; --bad: #ff8a80; --none: #9a9a9a; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--ground); }
a { color: var(--link); }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
.summary { padding: .75rem 1rem; border-left: .35rem solid var(--line); background: var(--soft); font-size: 1.15rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: .5rem 0; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.operational { color: var(--good); } .disturbed, .maintenance { color: var(--fair); } .down { color: var(--bad); }
.unknown { color: var(--none); }
.state { font-weight: 600; white-space: nowrap; }
svg { display: block; width: 11.25rem; height: 1.25rem; }
.none { fill: var(--none); opacity: .35; } .good { fill: var(--good); } .fair { fill: var(--fair); }
.bad { fill: var(--bad); }
footer { margin-top: 2rem; border-top: 1px solid var(--line); font-size: .9rem; }
"""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""The Content-Security-Policy under which the page is served."""

SIGNS = {
    State.OPERATIONAL: "●",
    State.DISTURBED: "▲",
    State.DOWN: "■",
    State.MAINTENANCE: "◆",
    State.UNKNOWN: "○",
}
KINDS = ("none", "good", "fair", "bad")
GOOD_SHARE = 0.99


def as_html(board: Board) -> bytes:
    """The document. Its addresses are relative: it can be read behind any."""
    parts = [_HEAD, _top(board), _providers(board), _maintenances(board.maintenances), _incidents(board), _FOOT]
    return "\n".join(parts).encode()


_HEAD = f"""<!DOCTYPE html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>État des fournisseurs – Octroi</title>
<link rel="alternate" type="application/atom+xml" title="État des fournisseurs" href="status.atom">
<link rel="alternate" type="application/json" href="status.json">
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#contenu">Aller au contenu</a>
<header><p>Octroi</p></header>
<main id="contenu">"""

_FOOT = f"""<section aria-labelledby="methode">
<h2 id="methode">Comment ces chiffres sont établis</h2>
<p>{escape(words.HOW)}</p>
</section>
</main>
<footer>
<nav aria-label="Autres formes"><p>Les mêmes informations : <a href="status.json">en JSON</a>,
<a href="status.atom">en flux Atom</a>. Une sonde par fournisseur : <a href="pings">liste des sondes</a>.</p></nav>
</footer>
</body>
</html>
"""


def _top(board: Board) -> str:
    counted = "" if board.counted_until is not None else f"<p>{escape(words.UNAVAILABLE)}</p>"
    return f"""<h1>État des fournisseurs de données</h1>
<p class="summary" role="status">{escape(words.summary(board))}</p>
<p>Page établie le {_time(board.at)}.</p>{counted}"""


def _providers(board: Board) -> str:
    heads = "".join(f'<th scope="col">{told}</th>' for told in words.SPANS.values())
    return f"""<section aria-labelledby="fournisseurs">
<h2 id="fournisseurs">Fournisseurs</h2>
<div class="scroll" role="region" aria-labelledby="fournisseurs" tabindex="0">
<table>
<caption>État de chaque fournisseur, et part des appels qui ont eu une réponse</caption>
<thead><tr><th scope="col">Fournisseur</th><th scope="col">État</th>{heads}<th scope="col">Par jour</th></tr></thead>
<tbody>
{"".join(map(_row, board.standings))}</tbody>
</table>
</div>
</section>"""


def _row(standing: Standing) -> str:
    state = standing.state
    numbers = "".join(f'<td class="number">{words.percentage(standing.shares[name])}</td>' for name in words.SPANS)
    return (
        f'<tr><th scope="row">{escape(standing.title)}</th>'
        f'<td class="state {state.value}"><span aria-hidden="true">{SIGNS[state]}</span> {words.STATES[state]}</td>'
        f"{numbers}<td>{_strip(standing.days)}</td></tr>\n"
    )


def _strip(days: Iterable[tuple[date, Share]]) -> str:
    """A bar a day, one path for each colour; told in words to who does not see it."""
    days = tuple(days)
    kinds = [_kind(share) for _, share in days]
    paths = "".join(f'<path class="{kind}" d="{_bars(kinds, kind)}"/>' for kind in KINDS if kind in kinds)
    troubled = kinds.count("fair") + kinds.count("bad")
    told = f"{len(days)} derniers jours : {troubled or 'aucun'} jour{'s' if troubled > 1 else ''} sous 99 %"
    return (
        f'<svg viewBox="0 0 {2 * len(days)} 10" preserveAspectRatio="none" role="img" aria-label="{told}">{paths}</svg>'
    )


def _bars(kinds: Sequence[str], kind: str) -> str:
    return "".join(f"M{2 * x} 0h1.5v10h-1.5z" for x, one in enumerate(kinds) if one == kind)


def _kind(share: Share) -> str:
    if share.availability is None:
        return "none"
    if share.availability >= GOOD_SHARE:
        return "good"
    return "fair" if share.failing < DISTURBED_SHARE else "bad"


def _maintenances(maintenances: Iterable[Maintenance]) -> str:
    current = [one for one in maintenances if one.is_current]
    lines: dict[str, None] = {}
    for one in maintenances:
        if not one.is_current:
            lines[f"<li><strong>{escape(one.title)}</strong> : {words.recurring(one)}</li>"] = None
    now = [
        f"<li><strong>{escape(one.title)}</strong> : en cours, jusqu'au {_time(one.span.end)}</li>" for one in current
    ]
    return f"""<section aria-labelledby="maintenances">
<h2 id="maintenances">Maintenances</h2>
<h3>En cours</h3>
{_list(now, "Aucune.")}
<h3>Annoncées pour les sept jours à venir</h3>
{_list(lines, "Aucune.")}
</section>"""


def _incidents(board: Board) -> str:
    lines = [f"<li>{_incident(one)}</li>" for one in board.incidents]
    return f"""<section aria-labelledby="incidents">
<h2 id="incidents">Incidents des sept derniers jours</h2>
{_list(lines, "Aucun.")}
</section>"""


def _incident(one: Incident) -> str:
    answered = f"{words.percentage(one.share)} de réponses"
    when = f"depuis le {_time(one.start)}" if one.end is None else words.span(one.start, one.end)
    return f"<strong>{escape(one.title)}</strong> : {when}, {answered}"


def _list(lines: Iterable[str], empty: str) -> str:
    told = "\n".join(lines)
    return f"<ul>\n{told}\n</ul>" if told else f"<p>{empty}</p>"


def _time(at: datetime) -> str:
    return f'<time datetime="{at.isoformat(timespec="minutes")}">{words.moment(at)}</time>'
