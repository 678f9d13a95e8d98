"""The protocol, by the official SDK. Its import takes most of a second: it waits for the first request to `/mcp`.

No session is kept: a request is answered by whichever worker gets it, and nothing outlives it.
"""

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)

from gateway.door import Receive, Scope, Send
from gateway.mcp import guides
from gateway.mcp.tools import Offer, Toolbox, note
from gateway.release import VERSION
from gateway.visits import Visit

MARKDOWN = "text/markdown"
INSTRUCTIONS = (
    "Données d'administrations françaises sur les entreprises et les associations, par SIREN (9 chiffres) ou SIRET (14 "
    "chiffres). Chaque appel est tracé. Certaines réponses nomment des personnes : n'en gardez que le nécessaire."
)
READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=True)


class Service:
    """Serves requests that the page has admitted: the visit is in their scope."""

    def __init__(self, toolbox: Toolbox) -> None:
        """Nothing is opened, and nothing is to be closed."""
        self._toolbox = toolbox
        self._guides = {guides.address(offer): offer for offer in toolbox.offers if offer.tool.advice}
        self._server: Server[Any] = Server(
            "octroi",
            version=VERSION,
            title="Octroi",
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_guides,
            on_read_resource=self._read_guide,
        )

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: its manager lives as long as it does."""
        manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _list_tools(self, context: Any, _: PaginatedRequestParams | None) -> ListToolsResult:
        state = _visit(context).state
        offers = [offer for offer in self._toolbox.offers if self._toolbox.is_open(offer, state)]
        return ListToolsResult(tools=[_tool(offer) for offer in offers])

    async def _call_tool(self, context: Any, asked: CallToolRequestParams) -> CallToolResult:
        visit, offer = _visit(context), self._toolbox.find(asked.name)
        note(visit, asked.name, offer, asked.arguments or {})
        if offer is None or not self._toolbox.is_open(offer, visit.state):
            visit.answered = 404
            raise MCPError(INVALID_PARAMS, f"Aucun outil ne s'appelle {asked.name}.")
        outcome = await self._toolbox.call(offer, asked.arguments or {}, visit)
        visit.answered, visit.codes = outcome.status, outcome.codes
        return CallToolResult(content=[TextContent(text=outcome.text)], is_error=outcome.status >= 400)

    async def _list_guides(self, _: Any, __: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=[_resource(uri, offer) for uri, offer in self._guides.items()])

    async def _read_guide(self, _: Any, asked: ReadResourceRequestParams) -> ReadResourceResult:
        offer = self._guides.get(asked.uri)
        if offer is None:
            raise MCPError(INVALID_PARAMS, f"Aucune documentation n'est à l'adresse {asked.uri}.")
        contents = TextResourceContents(uri=asked.uri, mime_type=MARKDOWN, text=guides.guide(offer))
        return ReadResourceResult(contents=[contents])


def _visit(context: Any) -> Visit:
    """The visit that the door admitted."""
    visit: Visit = context.request.state.visit
    return visit


def _tool(offer: Offer) -> Tool:
    endpoint = offer.endpoint
    return Tool(
        name=offer.tool.name,
        title=endpoint.title,
        description=endpoint.description,
        input_schema=offer.schema,
        annotations=READ_ONLY,
    )


def _resource(uri: str, offer: Offer) -> Resource:
    return Resource(uri=uri, name=guides.title(offer), description=offer.endpoint.title, mime_type=MARKDOWN)
