"""Access control: named tokens, and sessions and tickets derived from them.

Any web page in a browser can send requests to a server on the same machine, so a token is
required there too, and a request from another origin is refused before its token is checked.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from pelican_imagehost.serve.ledger import Ledger
from pelican_imagehost.serve.origin import check_origin, network_of
from pelican_imagehost.serve.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from starlette.requests import Request

__all__ = ["COOKIE", "SESSION_SECONDS", "Access", "Session"]

COOKIE = "imagehost"
SESSION_SECONDS = 30 * 24 * 3600
_TICKET_SECONDS = 600
_HEADERS = ("x-api-key", "token", "x-picgo-secret")  # Chevereto, Lsky 1, PicGo 3.1
_QUERIES = ("key", "secret")  # PicGo 2 and Chevereto, PicGo 3.1
_SESSION, _VISIT, _TICKET = "session", "visit", "ticket"


class Session(NamedTuple):
    """A session of the gallery.

    Attributes:
        name: the name of its token.
        by_ticket: whether a ticket opened it; its owner has not shown the token.
        identifier: the random identifier that logging out marks as ended.
        end: in seconds since 1970, UTC.
    """

    name: str
    by_ticket: bool
    identifier: str
    end: int


class Access:
    """Checks tokens, and limits guesses.

    Args:
        tokens: name → secret.
        file: the ledger that all workers share; without it, this object has its own.
    """

    def __init__(self, tokens: Mapping[str, str], file: Path | None = None) -> None:
        self._tokens = dict(tokens)
        self._ledger = Ledger(file)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def check(self, request: Request, key: str = "", origins: Collection[str] = ()) -> str:
        """Check the token or the session of a request.

        Args:
            request: the request.
            key: a token from its form, if it has no other.
            origins: the origins of other sites whose pages may send a bearer token.

        Returns:
            The name of the token.

        Raises:
            Refusal: no token, a wrong token, or too many wrong tokens from the address.
        """
        if check_origin(request, origins):
            secret = _bearer(request)
        else:
            session = self.session(request)
            if session is not None:
                return session.name
            secret = _secret(request) or key
        if not secret:
            raise Refusal(
                401,
                "no_token",
                "send your token in the header: Authorization: Bearer <token>",
                {"WWW-Authenticate": "Bearer"},
            )
        return self.name_of(secret, request)

    def is_stranger(self, request: Request, origins: Collection[str] = ()) -> bool:
        """Return whether a request has no token besides, perhaps, one in its form.

        Raises:
            Refusal: it comes from a page of another site.
        """
        if check_origin(request, origins):
            return False  # it needs a bearer token
        return not _secret(request) and self.session(request) is None

    def name_of(self, secret: str, request: Request) -> str:
        """Return the name of a token; count wrong tokens by the address of the client.

        The right token is always accepted: a neighbour's guesses must not lock its owner out,
        and a token of 16 characters cannot be guessed at any speed.

        Raises:
            Refusal: a wrong token, or too many wrong tokens from the address.
        """
        found = None
        for name, known in self._tokens.items():  # all of them, so that the time reveals nothing
            if hmac.compare_digest(known.encode(), secret.encode()):
                found = name
        if found is not None:
            return found
        wait = self._ledger.count_guess(network_of(request))
        if wait:
            raise Refusal(
                429,
                "too_many_guesses",
                f"too many wrong tokens from this address; try again in {wait} s",
                {"Retry-After": str(wait)},
            )
        raise Refusal(401, "wrong_token", "unknown token", {"WWW-Authenticate": "Bearer"})

    def open_session(self, name: str, *, by_ticket: bool = False) -> str:
        """Return the value of the cookie for a new session."""
        return self._seal(_VISIT if by_ticket else _SESSION, name, SESSION_SECONDS)

    def session(self, request: Request) -> Session | None:
        """Return the session of a request, or None."""
        sealed = request.cookies.get(COOKIE)
        session = self._unseal((_SESSION, _VISIT), sealed) if sealed else None
        if session is None or self._ledger.is_spent(session.identifier):
            return None
        return session

    def end_session(self, request: Request) -> None:
        """End the session of a request: its cookie opens nothing from now on, at any worker."""
        session = self.session(request)
        if session is not None:
            self._ledger.spend(session.identifier, session.end)

    def open_ticket(self) -> str:
        """Return a ticket that opens a session once within ten minutes, with the first token."""
        return self._seal(_TICKET, next(iter(self._tokens)), _TICKET_SECONDS)

    def redeem(self, ticket: str) -> str | None:
        """Return the name of the token of a ticket; None if it is used, expired or invalid."""
        found = self._unseal((_TICKET,), ticket)
        if found is None or not self._ledger.spend(found.identifier, found.end):
            return None
        return found.name

    def secret_for(self, request: Request) -> str:
        """Return the secret of the token of a request.

        Raises:
            Refusal: as `check`, or the client has not shown the secret itself.
        """
        name = self.check(request)
        session = self.session(request)
        if session is not None and session.by_ticket:
            raise Refusal(
                403, "by_ticket", "this file contains the token; log out, and log in with the token"
            )
        return self._tokens[name]

    def _seal(self, purpose: str, name: str, seconds: int) -> str:
        start = f"{int(time.time()) + seconds}.{secrets.token_hex(16)}"
        return f"{start}.{self._sign(purpose, name, start)}"

    def _unseal(self, purposes: Iterable[str], sealed: str) -> Session | None:
        start, _, signature = sealed.rpartition(".")
        for purpose in purposes:
            for name in self._tokens:
                expected = self._sign(purpose, name, start)
                if hmac.compare_digest(expected.encode(), signature.encode()):
                    end, _, identifier = start.partition(".")
                    found = Session(name, purpose == _VISIT, identifier, int(end))
                    return found if found.end > time.time() else None
        return None

    def _sign(self, purpose: str, name: str, start: str) -> str:
        text = f"{purpose}\n{name}\n{start}".encode()
        return hmac.new(self._tokens[name].encode(), text, hashlib.sha256).hexdigest()


def _bearer(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _secret(request: Request) -> str:
    """Return the token of a request, however its client sends it."""
    named = (request.headers.get(name) for name in _HEADERS)
    asked = (request.query_params.get(name) for name in _QUERIES)
    return _bearer(request) or next(filter(None, [*named, *asked]), "")
