"""Asks the simulator through an adapter, as the gateway does, to see that both speak of the same wire."""

import json
from datetime import datetime
from typing import Any

from config.clock import PARIS
from config.settings import UpstreamSettings
from providers.base import Call, Endpoint, ProviderFailed, Upstream, serialise
from tests.providers.golden import MemoryDocuments, MemoryVault
from tests.simulator.conftest import NOW, Caller

TODAY = datetime.fromtimestamp(NOW, PARIS)


async def ask(caller: Caller, endpoint: Endpoint, **values: Any) -> Any:
    """The answer of the contract, or the last three digits of the failure's code."""
    answer, _ = await ask_with_documents(caller, endpoint, **values)
    return answer


async def ask_with_documents(caller: Caller, endpoint: Endpoint, **values: Any) -> tuple[Any, list[bytes]]:
    """The same, with the documents that were kept on the way."""
    documents = MemoryDocuments()
    settings = UpstreamSettings(override="http://simulator", maintenance=False)
    upstream = Upstream(caller.client._transport, settings, {}, MemoryVault(), documents, lambda: TODAY)
    try:
        answer = await upstream.fetch(endpoint, _call(values))
    except ProviderFailed as failed:
        return failed.kind.code, []
    return json.loads(serialise(answer)), [content for _, _, content in documents.kept]


def _call(values: dict[str, Any]) -> Call:
    return Call(
        values=values,
        context="essai",
        object="essai",
        recipient="00004001400011",
        user_id="3fa85f64-5717-4562-b3fc-2c963f66afa6",
        request_id="00000000-0000-4000-8000-000000000001",
        today=TODAY.date(),
        base="https://octroi.test",
    )
