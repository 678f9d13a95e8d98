"""The provider behind every peer: INSEE's wire format over invented companies, rendered once, sent as bytes.

`python -m bench.upstream PORT`. Any POST is a token call, any GET ending in a SIREN is a call; under `/bench/` the run
sets the delay and reads how many calls came.
"""

import asyncio
import json
import sys
from collections import deque
from typing import cast

import uvloop

from bench.work import luhn_is_valid

SIREN = "123456789"


def _unite_legale() -> dict[str, object]:
    period = {
        "dateDebut": "2014-06-20",
        "dateFin": None,
        "etatAdministratifUniteLegale": "A",
        "changementEtatAdministratifUniteLegale": True,
        "nomUniteLegale": None,
        "nomUsageUniteLegale": None,
        "denominationUniteLegale": "SOCIETE FICTIVE DE MESURE",
        "denominationUsuelle1UniteLegale": "FICTIVE",
        "denominationUsuelle2UniteLegale": None,
        "denominationUsuelle3UniteLegale": None,
        "categorieJuridiqueUniteLegale": "5499",
        "changementCategorieJuridiqueUniteLegale": False,
        "activitePrincipaleUniteLegale": "62.01Z",
        "nomenclatureActivitePrincipaleUniteLegale": "NAFRev2",
        "nicSiegeUniteLegale": "00013",
        "economieSocialeSolidaireUniteLegale": "N",
        "caractereEmployeurUniteLegale": "O",
    }
    return {
        "siren": SIREN,
        "statutDiffusionUniteLegale": "O",
        "dateCreationUniteLegale": "2004-02-29",
        "sigleUniteLegale": "SFM",
        "sexeUniteLegale": None,
        "prenom1UniteLegale": None,
        "prenom2UniteLegale": None,
        "prenom3UniteLegale": None,
        "prenom4UniteLegale": None,
        "prenomUsuelUniteLegale": None,
        "pseudonymeUniteLegale": None,
        "identifiantAssociationUniteLegale": None,
        "trancheEffectifsUniteLegale": "12",
        "anneeEffectifsUniteLegale": "2022",
        "dateDernierTraitementUniteLegale": "2024-03-22T14:30:12",
        "nombrePeriodesUniteLegale": 1,
        "categorieEntreprise": "PME",
        "anneeCategorieEntreprise": "2022",
        "activitePrincipaleNAF25UniteLegale": "62.10Y",
        "periodesUniteLegale": [period],
    }


def _answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


FOUND_BEFORE, FOUND_AFTER = (
    _answer("200 OK", json.dumps({"header": {"statut": 200, "message": "OK"}, "uniteLegale": _unite_legale()}).encode())
).split(SIREN.encode())
NOT_FOUND = _answer("404 Not Found", b'{"header":{"statut":404,"message":"Aucun element trouve"}}')
TOKEN = _answer("200 OK", b'{"access_token":"bench","scope":"default","token_type":"Bearer","expires_in":603541}')


class State:
    """What the run sets and reads."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.calls = 0


class Connection(asyncio.Protocol):
    """One connection, answered in order; a body is only ever sent with a POST, and is skipped."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = b""
        self.due: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            size = end + 4 + (_content_length(head) if head.startswith(b"POST") else 0)
            if len(self.buffer) < size:
                return
            self.buffer = self.buffer[size:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        method, target, _ = head.split(b" ", 2)
        path = target.partition(b"?")[0].decode()
        if path.startswith("/bench/"):
            self.transport.write(_answer("200 OK", self._control(path)))
        elif method == b"POST":
            self.transport.write(TOKEN)
        else:
            self.state.calls += 1
            self._later(_found(path.rpartition("/")[2]))

    def _control(self, path: str) -> bytes:
        if path.startswith("/bench/delay/"):
            self.state.delay = int(path.rpartition("/")[2]) / 1000
        return str(self.state.calls).encode()

    def _later(self, answer: bytes) -> None:
        if not self.state.delay:
            self.transport.write(answer)
            return
        self.due.append(answer)
        asyncio.get_running_loop().call_later(self.state.delay, self._send)

    def _send(self) -> None:
        self.transport.write(self.due.popleft())


def _found(siren: str) -> bytes:
    is_known = len(siren) == 9 and siren.isdigit() and luhn_is_valid(siren)
    return FOUND_BEFORE + siren.encode() + FOUND_AFTER if is_known else NOT_FOUND


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int) -> None:
    """Answer until killed."""
    state = State()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
