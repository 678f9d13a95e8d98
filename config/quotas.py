"""The throttle groups of the contract: how many calls a token may make in a minute, and to what (behaviours §5.1).

The limits are facts of the contract; an operator lowers or raises one with `OCTROI_RATELIMIT__GROUPS__<NAME>`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Endpoints that draw on one allowance.

    `limit` is in calls per minute and token; where `shared` is false each endpoint of the group has an allowance
    of its own (all versions of an endpoint share it).
    """

    name: str
    limit: int
    shared: bool = True


JSON_RESOURCES = Group("json_resources_entreprise", 250)
LOW_LATENCY_DOCUMENTS = Group("low_latency_documents", 50)
HIGH_LATENCY_DOCUMENTS = Group("high_latency_documents", 5, shared=False)
INPI_RNE = Group("inpi_rne", 15, shared=False)
URSSAF_ATTESTATIONS = Group("urssaf_attestation_sociales", 100, shared=False)
GIP_MDS = Group("gip_mds", 50)
PROXIED_FILES = Group("proxied_files", 50, shared=False)
MCP = Group("mcp", 100, shared=False)

GROUPS = (
    JSON_RESOURCES,
    LOW_LATENCY_DOCUMENTS,
    HIGH_LATENCY_DOCUMENTS,
    INPI_RNE,
    URSSAF_ATTESTATIONS,
    GIP_MDS,
    PROXIED_FILES,
    MCP,
)

WINDOW_SECONDS = 60
"""Length of every quota window: fixed, aligned on the epoch (behaviours §5.2)."""
