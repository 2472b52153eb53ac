"""Access control: named tokens, sessions opened with them, and a check of the origin.

Any web page in a browser can send requests to a server on the same machine, so a token is
required there too, and a request from another origin is refused before its token is checked.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["COOKIE", "SESSION_SECONDS", "Access", "check_origin", "is_local"]

COOKIE = "imagehost"
SESSION_SECONDS = 30 * 24 * 3600
_TICKET_SECONDS = 600
_WRONG = 20  # wrong tokens from one address
_WINDOW = 60.0  # seconds after which they no longer count
_MOST = 10_000  # addresses to remember
_NETWORK = 64  # bits of an IPv6 address that identify a customer


class Access:
    """Checks tokens, and limits guesses.

    Args:
        tokens: name → secret.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = dict(tokens)
        self._wrong: dict[str, list[float]] = {}

    def check(self, request: Request) -> str:
        """Check the token or the session of a request.

        Returns:
            The name of the token.

        Raises:
            Refusal: no token, a wrong token, or too many wrong tokens from the address.
        """
        check_origin(request)
        session = self.session(request)
        if session is not None:
            return session
        secret = _secret(request)
        if not secret:
            raise Refusal(
                401,
                "no_token",
                "send your token in the header: Authorization: Bearer <token>",
                {"WWW-Authenticate": "Bearer"},
            )
        return self.name_of(secret, request)

    def name_of(self, secret: str, request: Request) -> str:
        """Return the name of a token; count wrong tokens by the address of the client.

        Raises:
            Refusal: a wrong token, or too many wrong tokens from the address.
        """
        address = _network(request)
        self._check_guesses(address)
        found = None
        for name, known in self._tokens.items():  # all of them, so that the time reveals nothing
            if hmac.compare_digest(known.encode(), secret.encode()):
                found = name
        if found is None:
            self._wrong.setdefault(address, []).append(time.monotonic())
            raise Refusal(401, "wrong_token", "unknown token", {"WWW-Authenticate": "Bearer"})
        return found

    def open_session(self, name: str) -> str:
        """Return the value of the cookie for a new session."""
        return self._seal("session", name, SESSION_SECONDS)

    def session(self, request: Request) -> str | None:
        """Return the name of the token that opened the session of a request, or None."""
        return self._unseal("session", request.cookies.get(COOKIE, ""))

    def open_ticket(self) -> str:
        """Return a ticket that opens a session within ten minutes, with the first token."""
        return self._seal("ticket", next(iter(self._tokens)), _TICKET_SECONDS)

    def redeem(self, ticket: str) -> str | None:
        """Return the name of the token of a ticket; None if it has expired or is invalid."""
        return self._unseal("ticket", ticket)

    def secret_of(self, name: str) -> str:
        """Return the secret of a token, for its owner."""
        return self._tokens[name]

    def _seal(self, purpose: str, name: str, seconds: int) -> str:
        end = int(time.time()) + seconds
        return f"{end}.{self._sign(purpose, name, end)}"

    def _unseal(self, purpose: str, sealed: str) -> str | None:
        end, _, signature = sealed.partition(".")
        if not (end.isascii() and end.isdecimal() and len(end) < 12 and int(end) > time.time()):  # noqa: PLR2004  seconds
            return None
        for name in self._tokens:
            expected = self._sign(purpose, name, int(end))
            if hmac.compare_digest(expected.encode(), signature.encode()):
                return name
        return None

    def _sign(self, purpose: str, name: str, end: int) -> str:
        text = f"{purpose}\n{name}\n{end}".encode()
        return hmac.new(self._tokens[name].encode(), text, hashlib.sha256).hexdigest()

    def _check_guesses(self, address: str) -> None:
        now = time.monotonic()
        guesses = [when for when in self._wrong.get(address, ()) if when > now - _WINDOW]
        if guesses:
            self._wrong[address] = guesses
        else:
            self._wrong.pop(address, None)
        if len(self._wrong) > _MOST:
            self._wrong.pop(next(iter(self._wrong)))
        if len(guesses) >= _WRONG:
            wait = int(guesses[0] + _WINDOW - now) + 1
            raise Refusal(
                429,
                "too_many_guesses",
                f"too many wrong tokens from this address; try again in {wait} s",
                {"Retry-After": str(wait)},
            )


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


def _secret(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    # As Chevereto and PicGo send it.
    return request.headers.get("x-api-key") or request.query_params.get("key", "")


def _network(request: Request) -> str:
    client = request.client.host if request.client else ""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        return str(int(address) >> (128 - _NETWORK))
    return client
