"""The origin of a request: which page, which machine."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

__all__ = ["check_origin", "is_local", "network_of"]

_SHOWN = 100  # characters of an origin, in messages
_NETWORK = 64  # bits of an IPv6 address that identify a customer
# What proxies of all kinds add: RFC 7239, RFC 9110 (Via), RFC 8586, and their own inventions.
_BY_PROXY = re.compile(
    "forward|^(?:via|cdn-loop|x-scheme|proxy-.+)$|(?:^|-)(?:client-?)?ip$"
    "|^(?:cf|fastly|fly|akamai|x-(?:real|original|amzn|envoy|azure|appengine|arr|proxy))-"
)
_HERE = re.compile(r"(?:(?:[\w-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?")


def check_origin(request: Request, allowed: Collection[str] = ()) -> bool:
    """Refuse requests from pages of other sites (Fetch Standard, "Origin header").

    Args:
        request: the request.
        allowed: origins that are not refused.

    Returns:
        Whether the request comes from one of the allowed origins.

    Raises:
        Refusal: the request has an origin, and it is another site.
    """
    origin = request.headers.get("origin")
    is_foreign = request.headers.get("sec-fetch-site") == "cross-site"
    if origin is not None:
        is_foreign |= origin.partition("://")[2] != request.headers.get("host")
    if not is_foreign:
        return False
    if origin is None or origin not in allowed:
        shown = f" ({origin[:_SHOWN]})" if origin else ""
        raise Refusal(
            403,
            "foreign_origin",
            f"requests from pages of other sites{shown} are not allowed; IMAGEHOST_ORIGINS can "
            "allow a client in a web view",
        )
    return True


def is_local(request: Request) -> bool:
    """Return whether a request comes from a program on this machine, and not from a proxy.

    A proxy on this machine comes from its address too, but asks for another host, adds a
    header, or speaks HTTP/1.0, as nginx does if it is not configured.
    """
    client = request.client.host if request.client else ""
    try:
        is_here = ip_address(client).is_loopback
    except ValueError:
        return False
    return (
        is_here
        and request.scope["http_version"] != "1.0"
        and _HERE.fullmatch(request.headers.get("host", "").lower()) is not None
        and not any(_BY_PROXY.search(name) for name in request.headers)
    )


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
