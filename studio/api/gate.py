"""Who may come in: hosts, origins, tokens, and the session that lets a page load pictures.

The rules, from the outside in. A request's Host must be a name of this server, or a page elsewhere
could reach it by rebinding its own name. A request that changes something and comes from a web
page must come from this server's own pages. Then a token, unless only this machine can connect.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import time
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Body, Response
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.bodies import short
from studio.api.failures import TooMany, Unauthenticated, answer, routes
from studio.errors import InvalidRequest, Refused
from studio.protocol import LOCAL
from studio.settings import Settings
from studio.users import Users, digest

COOKIE = "studio_session"
#: Lets a holder of the private token, or of the operator's, act for somebody else: a bot for its
#: users.
OWNER_HEADER = "X-Studio-Owner"
_OWNER = re.compile(r"[\w.:@-]{1,100}")
#: So many wrong tokens from one address, and it has to wait.
_GUESSES = 5
_WAIT_SECONDS = 60.0
_SESSION_SECONDS = 30 * 24 * 3600
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}
_READING = ("GET", "HEAD", "OPTIONS")


class Gate:
    """Decides about every request. One per server."""

    def __init__(self, settings: Settings, private_token: str, users: Users, secret: bytes) -> None:
        """`secret` is the installation's own: sessions are signed with it."""
        self._users = users
        self._secret = secret
        #: Sessions that were ended, and when they would have run out.
        self._ended: dict[str, float] = {}
        self._failed: dict[str, list[float]] = {}
        self._private = private_token
        self._token = None if settings.token is None else settings.token.get_secret_value()
        self._names = {"localhost", settings.host.lower(), *map(str.lower, settings.hosts)}
        self.router = routes("session")
        self.router.post("/session", status_code=204, summary="Begin a session")(self._session)
        self.router.delete("/session", status_code=204, summary="End the session")(self._leave)

    def authenticate(self, request: Request) -> str | None:
        """The owner that the request speaks for, or None; fits Gradio's `auth_dependency`.

        Raises:
            InvalidRequest: if the name in `X-Studio-Owner` cannot be one.
        """
        presented = _bearer(request)
        if presented is not None:
            who = LOCAL if _equal(presented, self._private) else self._who(presented)
            if who == LOCAL:
                owner = request.headers.get(OWNER_HEADER, LOCAL)
                if not _OWNER.fullmatch(owner):
                    raise InvalidRequest(
                        f"{OWNER_HEADER} holds no owner's name.",
                        hint="Letters, digits and . : @ _ - are allowed, at most 100.",
                    )
                return owner
            return who
        session = request.cookies.get(COOKIE, "")
        name, _, rest = session.partition("|")
        until = rest.partition("|")[0]
        right = self._signed(name, until)
        known = right is not None and _equal(session.encode(), right)
        if known and session not in self._ended and int(until) > time.time():
            return name
        return LOCAL if self._token is None else None

    def is_private(self, request: Request) -> bool:
        """Whether the request comes from a program of the host's own user on this machine."""
        return _equal(_bearer(request) or b"", self._private)

    def owner(self, request: Request) -> str:
        """The owner that the request speaks for.

        Raises:
            Unauthenticated: if it presents no token, or a wrong one.
        """
        owner = self.authenticate(request)
        if owner is None:
            raise Unauthenticated
        return owner

    def check(self, connection: HTTPConnection, method: str) -> None:
        """Pass a request that comes from where requests may come from.

        Raises:
            Refused: if it was made for another host, or by another site's page.
        """
        host = connection.headers.get("host", "")
        if not self._is_ours(host):
            raise Refused(
                "This server does not answer to that name.",
                hint="Open it by its address, or list the name in the setting `hosts`.",
            )
        origin = connection.headers.get("origin")
        foreign = origin is not None and origin.lower().partition("://")[2] != host.lower()
        if method not in _READING and foreign:
            raise Refused(
                "Pages of other sites cannot use this server.", hint="Use the studio's own page."
            )

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True  # an address is not a name that could be rebound

    def _signed(self, name: str, until: str) -> str | None:
        """The cookie of a session, if there is such a person: it proves that they had the token.

        It depends on the token, so a new token or a person's leaving ends it, and on a secret that
        is kept apart from the tokens' digests, so that whoever reads those cannot make one.
        """
        token = self._token and digest(self._token.encode())
        known = token if name == LOCAL else self._users.digest_of(name)
        if known is None or not until.isdecimal() or len(until) > 12:
            return None
        said = f"studio session|{name}|{until}|{known}".encode()
        return f"{name}|{until}|{hmac.new(self._secret, said, hashlib.sha256).hexdigest()}"

    def _who(self, token: bytes) -> str | None:
        """Whose token it is: the operator's, or a named user's."""
        if self._token is not None and _equal(token, self._token):
            return LOCAL
        return self._users.who(token)

    def _leave(self, request: Request) -> Response:
        """End the session, copies of its cookie too."""
        now = time.time()
        self._ended = {one: until for one, until in self._ended.items() if until > now}
        if self.authenticate(request) is not None:
            self._ended[request.cookies.get(COOKIE, "")] = now + _SESSION_SECONDS
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    def _session(
        self, request: Request, token: Annotated[str, Body(embed=True, max_length=1000)]
    ) -> Response:
        """Trade a token for a cookie, with which a page can load pictures.

        Whoever guesses wrongly too often has to wait. Tokens in headers, which programs send, are
        not counted: at 16 characters and more nobody guesses them, and behind a proxy one stranger
        would lock everybody out.
        """
        peer = request.client.host if request.client else ""
        now = time.monotonic()
        failed = [moment for moment in self._failed.get(peer, []) if now - moment < _WAIT_SECONDS]
        if len(failed) >= _GUESSES:
            raise TooMany
        name = self._who(token.encode())
        if name is None:
            # Only those who guess are remembered, and each for as long as it counts.
            self._failed = {
                one: moments
                for one, moments in self._failed.items()
                if now - moments[-1] < _WAIT_SECONDS
            } | {peer: [*failed, now]}
            raise Unauthenticated
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            self._signed(name, str(int(time.time()) + _SESSION_SECONDS)) or "",
            max_age=_SESSION_SECONDS,
            httponly=True,
            samesite="strict",
        )
        return response


class Guard:
    """ASGI middleware around the API and all that is mounted beside it.

    Every request is checked, none is read without end, and every answer forbids what no page of
    the studio needs: guessing at types, frames in other sites, addresses that leak to them.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if scope["type"] in ("http", "websocket"):
            try:
                # A socket, once open, can do anything: it counts as a change.
                self._gate.check(HTTPConnection(scope), scope.get("method", "CONNECT"))
            except Refused as error:
                await answer(error)(scope, receive, hardened)
                return
        await self._app(scope, *short(scope, receive, hardened))


def _bearer(request: Request) -> bytes | None:
    """The token in the request's header, as its bytes came; None if there is no such header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.encode("latin-1") if scheme.lower() == "bearer" else None


def _equal(presented: bytes, secret: str) -> bool:
    return hmac.compare_digest(presented, secret.encode())
