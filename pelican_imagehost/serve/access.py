"""Who may upload: named tokens, sessions made from them, and no page of another site.

A web page that its reader merely looks at can send requests to a server on the reader's own
machine, so a token is asked for there as well, and a request that says it comes from another
origin is refused before its token is looked at.
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
_WRONG = 20  # wrong tokens of one address
_WINDOW = 60.0  # in so many seconds
_MOST = 10_000  # addresses remembered
_NETWORK = 64  # bits of an IPv6 address that one customer has


class Access:
    """Knows the tokens, and who guesses at them.

    Args:
        tokens: name → secret.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = dict(tokens)
        self._wrong: dict[str, list[float]] = {}

    def check(self, request: Request) -> str:
        """Tell whose request this is, by its token or its session.

        Returns:
            The token's name.

        Raises:
            Refusal: it has none, a wrong one, or its address has guessed too often.
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
        """Find the token's name; wrong ones are counted by the client's address.

        Raises:
            Refusal: there is no such token, or the address has guessed too often.
        """
        address = _network(request)
        self._check_guesses(address)
        found = None
        for name, known in self._tokens.items():  # all of them: time tells nothing
            if hmac.compare_digest(known.encode(), secret.encode()):
                found = name
        if found is None:
            self._wrong.setdefault(address, []).append(time.monotonic())
            raise Refusal(
                401, "wrong_token", "this token is not known", {"WWW-Authenticate": "Bearer"}
            )
        return found

    def open_session(self, name: str) -> str:
        """Make the value of a session's cookie."""
        return self._seal("session", name, SESSION_SECONDS)

    def session(self, request: Request) -> str | None:
        """The name of the token that a request's session was opened with."""
        return self._unseal("session", request.cookies.get(COOKIE, ""))

    def open_ticket(self) -> str:
        """Make what opens a session within some minutes: the first token's, whose owner starts."""
        return self._seal("ticket", next(iter(self._tokens)), _TICKET_SECONDS)

    def redeem(self, ticket: str) -> str | None:
        """The name of the token that a ticket was made for; None where it is over or wrong."""
        return self._unseal("ticket", ticket)

    def secret_of(self, name: str) -> str:
        """The secret of a token, for its own owner."""
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
    """Refuse what a page of another site sends (Fetch Standard, "Origin header").

    Raises:
        Refusal: it does not come from this site, if it says from where.
    """
    origin = request.headers.get("origin")
    is_foreign = request.headers.get("sec-fetch-site") == "cross-site"
    if origin is not None:
        is_foreign |= origin.partition("://")[2] != request.headers.get("host")
    if is_foreign:
        raise Refusal(403, "foreign_origin", "pages of other sites may send nothing here")


def is_local(request: Request) -> bool:
    """Tell whether a program on this machine asks, and no proxy for somebody else."""
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
    # Chevereto's way and PicGo's.
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
