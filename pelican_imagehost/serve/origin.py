"""The origin of a request: which page, which machine."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["check_origin", "is_local", "network_of"]

_NETWORK = 64  # bits of an IPv6 address that identify a customer


def check_origin(request: Request) -> None:
    """Refuse requests from pages of other sites (Fetch Standard, "Origin header").

    Raises:
        Refusal: the request has an origin, and it is another site.
    """
    origin = request.headers.get("origin")
    is_foreign = request.headers.get("sec-fetch-site") == "cross-site"
    if origin is not None:
        is_foreign |= origin.partition("://")[2] != request.headers.get("host")
    if is_foreign:
        raise Refusal(403, "foreign_origin", "requests from pages of other sites are not allowed")


def is_local(request: Request) -> bool:
    """Return whether a request comes from a program on this machine, and not from a proxy."""
    forwarded = {"forwarded", "x-forwarded-for", "x-real-ip", "via"} & set(request.headers.keys())
    client = request.client.host if request.client else ""
    try:
        return not forwarded and ip_address(client).is_loopback
    except ValueError:
        return False


def network_of(request: Request) -> str:
    """Return the network address of the client, by which wrong tokens are counted."""
    client = request.client.host if request.client else ""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        return str(int(address) >> (128 - _NETWORK))
    return client
