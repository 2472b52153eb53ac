"""Answers for pages of allowed origins: clients in a web view (Fetch Standard, "CORS protocol").

They send their token themselves. Cookies are never allowed, so a page cannot use the session of
the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

__all__ = ["answer_preflight", "let_read"]

_SECONDS = 600  # for which a browser may remember the answer to a preflight


def let_read(response: Response, request: Request, origins: Collection[str]) -> Response:
    """Let a page read the response if its origin is allowed."""
    origin = request.headers.get("origin")
    if origins:
        response.headers.add_vary_header("Origin")
    if origin is not None and origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    return response


def answer_preflight(request: Request, origins: Collection[str]) -> Response:
    """Answer the question of a browser whether a page may send a request."""
    if request.headers.get("origin") not in origins:
        return Refusal(405, "method_not_allowed", "Method Not Allowed", {"Allow": "POST"}).answer()
    response = let_read(Response(status_code=204), request, origins)
    response.headers["Access-Control-Allow-Methods"] = "POST"
    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    response.headers["Access-Control-Max-Age"] = str(_SECONDS)
    if request.headers.get("access-control-request-private-network") == "true":
        response.headers["Access-Control-Allow-Private-Network"] = "true"
    return response
