"""The board as JSON. It tells shares, not numbers of calls: how much a provider is asked is nobody else's business."""

from typing import Any

import orjson

from gateway.status.board import Board, Incident, Maintenance, Share, Standing


def as_json(board: Board, base: str) -> bytes:
    """The document; moments are in ISO 8601, Paris time."""
    document = {
        "data": {
            "providers": [_provider(standing) for standing in board.standings],
            "maintenances": [_maintenance(one) for one in board.maintenances],
            "incidents": [_incident(one) for one in board.incidents],
        },
        "links": {"html": f"{base}/status", "atom": f"{base}/status.atom"},
        "meta": {"last_update": board.at, "counted_until": board.counted_until},
    }
    return orjson.dumps(document)


def _provider(standing: Standing) -> dict[str, Any]:
    return {
        "slug": standing.slug,
        "title": standing.title,
        "state": standing.state.value,
        "availability": {name: _rate(share) for name, share in standing.shares.items()},
        "days": [{"date": day, "availability": _rate(share)} for day, share in standing.days],
        "probes": [{"path": probe.path, "status": probe.status, "at": probe.at} for probe in standing.probes],
    }


def _maintenance(one: Maintenance) -> dict[str, Any]:
    return {"provider": one.slug, "start": one.span.start, "end": one.span.end, "current": one.is_current}


def _incident(one: Incident) -> dict[str, Any]:
    return {"provider": one.slug, "start": one.start, "end": one.end, "availability": _rate(one.share)}


def _rate(share: Share) -> float | None:
    return None if share.availability is None else round(share.availability, 4)
