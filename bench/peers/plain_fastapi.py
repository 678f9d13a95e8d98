"""The plain peer: this gateway as most people would write it with FastAPI, its tutorials and the usual libraries.

Each choice is a common one, none is made to be slow: dependencies as functions, PyJWT, redis-py commands one after
another, httpx, a response model, one middleware that gives a request its identifier and writes its log line.
"""

import base64
import json
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any

import httpx
import jwt
import redis.asyncio as redis
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

JWT_SECRET = os.environ["PLAIN_JWT_SECRET"]
REDIS_URL = os.environ["PLAIN_REDIS_URL"]
INSEE_URL = os.environ["PLAIN_INSEE_URL"]
CIPHER = AESGCM(base64.b64decode(os.environ["PLAIN_CACHE_KEY"]))
IP_LIMIT = TOKEN_LIMIT = int(os.environ["PLAIN_LIMIT"])
METERED_PREFIX = os.environ["PLAIN_METERED_PREFIX"]
METERED_LIMIT = int(os.environ["PLAIN_METERED_LIMIT"])
SCOPES = {"entreprises", "unites_legales_etablissements_insee"}

log = logging.getLogger("plain")
log.setLevel(logging.INFO)
_file = logging.FileHandler(os.environ["PLAIN_LOG"])
_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
log.addHandler(_file)


class PersonneMorale(BaseModel):
    raison_sociale: str | None
    sigle: str | None


class PersonnePhysique(BaseModel):
    pseudonyme: str | None
    prenom_usuel: str | None
    prenom_1: str | None
    prenom_2: str | None
    prenom_3: str | None
    prenom_4: str | None
    nom_usage: str | None
    nom_naissance: str | None
    sexe: str | None


class FormeJuridique(BaseModel):
    code: str
    libelle: str


class Activite(BaseModel):
    code: str
    nomenclature: str
    libelle: str


class Effectif(BaseModel):
    de: int | None
    a: int | None
    code: str | None
    date_reference: str | None
    intitule: str | None


class UniteLegale(BaseModel):
    siren: str
    rna: str | None
    siret_siege_social: str
    type: str
    personne_morale_attributs: PersonneMorale
    personne_physique_attributs: PersonnePhysique
    categorie_entreprise: str | None
    status_diffusion: str
    diffusable_commercialement: bool
    forme_juridique: FormeJuridique
    activite_principale: Activite
    tranche_effectif_salarie: Effectif
    economie_sociale_et_solidaire: bool | None
    date_creation: int
    etat_administratif: str
    date_cessation: int | None


class Links(BaseModel):
    siege_social: str
    siege_social_adresse: str


class Meta(BaseModel):
    date_derniere_mise_a_jour: int
    redirect_from_siren: str | None = None


class Envelope(BaseModel):
    data: UniteLegale
    links: Links
    meta: Meta


class Claims(BaseModel):
    jti: str
    scopes: list[str] = Field(default_factory=list)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = redis.from_url(REDIS_URL)
    app.state.http = httpx.AsyncClient(timeout=10)
    answer = await app.state.http.post(f"{INSEE_URL}/token", data={"grant_type": "password"})
    app.state.insee_token = answer.json()["access_token"]
    yield
    await app.state.http.aclose()
    await app.state.redis.aclose()


app = FastAPI(title="Plain gateway", lifespan=lifespan)


@app.middleware("http")
async def log_request(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request_id = str(uuid.uuid4())
    started = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Request-Id"] = request_id
    elapsed = (time.perf_counter() - started) * 1000
    client = request.client.host if request.client else "-"
    log.info("%s %s %s %s %d %.1fms", request_id, client, request.method, request.url, response.status_code, elapsed)
    return response


def bearer(authorization: Annotated[str | None, Header()] = None) -> str:
    if not authorization or not authorization.startswith("Bearer "):
        raise HTTPException(401, "Missing token")
    return authorization.removeprefix("Bearer ")


def claims(token: Annotated[str, Depends(bearer)]) -> Claims:
    try:
        return Claims(**jwt.decode(token, JWT_SECRET, algorithms=["HS256"]))
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Invalid token") from error


async def refuse_banned(request: Request) -> None:
    if request.client and await request.app.state.redis.exists(f"ban:{request.client.host}"):
        raise HTTPException(403, "Banned")


async def count(store: Any, key: str, limit: int) -> int:
    window = f"{key}:{int(time.time()) // 60}"
    calls: int = await store.incr(window)
    if calls == 1:
        await store.expire(window, 60)
    if calls > limit:
        raise HTTPException(429, "Too many requests")
    return calls


async def limited(
    request: Request,
    response: Response,
    holder: Annotated[Claims, Depends(claims)],
    _: Annotated[None, Depends(refuse_banned)],
) -> Claims:
    store = request.app.state.redis
    await count(store, f"ip:{request.client.host if request.client else '-'}", IP_LIMIT)
    limit = METERED_LIMIT if holder.jti.startswith(METERED_PREFIX) else TOKEN_LIMIT
    calls = await count(store, f"token:{holder.jti}", limit)
    response.headers["RateLimit-Limit"] = str(limit)
    response.headers["RateLimit-Remaining"] = str(limit - calls)
    return holder


def authorised(holder: Annotated[Claims, Depends(limited)]) -> Claims:
    if not SCOPES & set(holder.scopes):
        raise HTTPException(403, "Missing scope")
    return holder


def encrypt(text: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + CIPHER.encrypt(nonce, text, None)


def decrypt(sealed: bytes) -> bytes:
    return CIPHER.decrypt(sealed[:12], sealed[12:], None)


def epoch(text: str) -> int:
    return int(time.mktime(date.fromisoformat(text[:10]).timetuple()))


def normalise(sent: dict[str, Any]) -> Envelope:
    unit = {**sent, **next(p for p in sent["periodesUniteLegale"] if p["dateFin"] is None)}
    siege = unit["siren"] + unit["nicSiegeUniteLegale"]
    ess = unit["economieSocialeSolidaireUniteLegale"]
    return Envelope(
        data=UniteLegale(
            siren=unit["siren"],
            rna=unit["identifiantAssociationUniteLegale"],
            siret_siege_social=siege,
            type="personne_physique" if unit["categorieJuridiqueUniteLegale"] == "1000" else "personne_morale",
            personne_morale_attributs=PersonneMorale(
                raison_sociale=unit["denominationUniteLegale"], sigle=unit["sigleUniteLegale"]
            ),
            personne_physique_attributs=PersonnePhysique(
                pseudonyme=unit["pseudonymeUniteLegale"],
                prenom_usuel=unit["prenomUsuelUniteLegale"],
                prenom_1=unit["prenom1UniteLegale"],
                prenom_2=unit["prenom2UniteLegale"],
                prenom_3=unit["prenom3UniteLegale"],
                prenom_4=unit["prenom4UniteLegale"],
                nom_usage=unit["nomUsageUniteLegale"],
                nom_naissance=unit["nomUniteLegale"],
                sexe=unit["sexeUniteLegale"],
            ),
            categorie_entreprise=unit["categorieEntreprise"],
            status_diffusion={"O": "diffusible", "P": "partiellement_diffusible"}.get(
                unit["statutDiffusionUniteLegale"], "non_diffusible"
            ),
            diffusable_commercialement=unit["statutDiffusionUniteLegale"] == "O",
            forme_juridique=FormeJuridique(
                code=unit["categorieJuridiqueUniteLegale"], libelle="Société à responsabilité limitée"
            ),
            activite_principale=Activite(
                code=unit["activitePrincipaleUniteLegale"], nomenclature="NAFRev2", libelle="Programmation informatique"
            ),
            tranche_effectif_salarie=Effectif(
                de=20,
                a=49,
                code=unit["trancheEffectifsUniteLegale"],
                date_reference=unit["anneeEffectifsUniteLegale"],
                intitule="20 à 49 salariés",
            ),
            economie_sociale_et_solidaire=None if ess is None else ess == "O",
            date_creation=epoch(unit["dateCreationUniteLegale"]),
            etat_administratif=unit["etatAdministratifUniteLegale"],
            date_cessation=None,
        ),
        links=Links(
            siege_social=f"http://127.0.0.1/v3/insee/sirene/etablissements/{siege}",
            siege_social_adresse=f"http://127.0.0.1/v3/insee/sirene/etablissements/{siege}/adresse",
        ),
        meta=Meta(date_derniere_mise_a_jour=epoch(unit["dateDernierTraitementUniteLegale"])),
    )


async def fetch(request: Request, siren: str) -> Envelope:
    headers = {"Authorization": f"Bearer {request.app.state.insee_token}"}
    try:
        answer = await request.app.state.http.get(f"{INSEE_URL}/api-sirene/prive/3.11/siren/{siren}", headers=headers)
    except httpx.HTTPError as error:
        raise HTTPException(502, "INSEE does not answer") from error
    if answer.status_code == 404:
        raise HTTPException(404, "Unknown SIREN")
    if answer.status_code != 200:
        raise HTTPException(502, "INSEE failed")
    return normalise(answer.json()["uniteLegale"])


@app.get("/v3/insee/sirene/unites_legales/{siren}", response_model=Envelope, dependencies=[Depends(authorised)])
async def unite_legale(
    request: Request,
    response: Response,
    siren: str,
    context: Annotated[str, Query(min_length=1)],
    recipient: Annotated[str, Query(pattern=r"^\d{14}$")],
    object: Annotated[str, Query(min_length=1)],  # noqa: A002 - the contract's word
) -> Any:
    del context, recipient, object  # checked by their declarations
    key = f"cache:unite_legale:{siren}"
    if sealed := await request.app.state.redis.get(key):
        response.headers["X-Response-Cached"] = "true"
        return json.loads(decrypt(sealed))
    envelope = await fetch(request, siren)
    await request.app.state.redis.set(key, encrypt(envelope.model_dump_json().encode()), ex=3600)
    response.headers["X-Response-Cached"] = "false"
    return envelope
