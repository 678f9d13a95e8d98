"""The peers, in the order in which they are told."""

from bench.peers.base import DidNotStart, Launch, Limits, Peer, Place, Trail
from bench.peers.octroi import OCTROI
from bench.peers.others import HAPROXY, NGINX, NODE_GATE, PLAIN

__all__ = ["PEERS", "DidNotStart", "Launch", "Limits", "Peer", "Place", "Trail"]

PEERS = (OCTROI, PLAIN, NODE_GATE, NGINX, HAPROXY)
