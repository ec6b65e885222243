"""The server: what a bot calls, and what people do to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import discord.gateway
import discord.http
import yarl
from aiohttp import web

from tests.discord.fake.acts import Acts
from tests.discord.fake.faults import Fault, refusal
from tests.discord.fake.gateway import Gateway, channel, thread
from tests.discord.fake.messages import (
    EPHEMERAL,
    LOADING,
    Messages,
    Rejected,
    as_told,
    numbers,
)
from tests.discord.fake.people import BOT, CHANNEL, DIRECT, Edit, Interaction

_API = "/api/v10"
#: What a request brought.
_BODY: web.RequestKey[Any] = web.RequestKey("body", object)
_FILES = web.RequestKey("files", dict[str, bytes])


@dataclass(frozen=True)
class Call:
    """One call of the REST interface."""

    method: str
    #: Below `/api/v10`.
    path: str
    body: Any
    files: Mapping[str, bytes]
    at: float


class FakeDiscord(Acts):
    """Discord, for one bot, one server and the people in it. Use it with `async with`."""

    def __init__(self) -> None:
        self.numbers = numbers()
        self.messages = Messages(self.numbers)
        self.gateway = Gateway()
        self.calls: list[Call] = []
        self.commands: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        #: Seconds until an edit without files is carried out; its sender may be gone by then.
        self.slow = 0.0
        #: Cleared, it keeps every file from being fetched.
        self.gives = asyncio.Event()
        self.gives.set()
        #: Told of every call, before it is carried out and after.
        self.on_call: Callable[[Call, bool], None] = lambda call, done: None
        self.interactions: dict[str, Interaction] = {}
        #: By their ids, which are those of the messages that they hang on.
        self.threads: dict[str, dict[str, Any]] = {}
        #: Answers that came when there was one already.
        self.answered_twice = 0
        self._app = web.Application(client_max_size=64 * 2**20, middlewares=[self._read])
        self._route()

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        self.api = f"http://{address}{_API}"
        self.gateway.address = f"ws://{address}/gateway/"
        self.messages.address = f"http://{address}/cdn"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gateway.drop()
        await self._runner.cleanup()

    @contextlib.contextmanager
    def instead(self) -> Iterator[None]:
        """Have discord.py of this process come here."""
        with here(self.api, self.gateway.address):
            yield

    def called(self, method: str, path: str) -> list[Call]:
        """The calls so far whose path begins so."""
        return [one for one in self.calls if one.method == method and one.path.startswith(path)]

    def _route(self) -> None:
        add = self._app.router.add_route
        for method, path, handler in (
            ("GET", "/users/@me", self._me),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/gateway/bot", self._gateway_address),
            ("GET", "/applications/{a}/commands", self._commands),
            ("PUT", "/applications/{a}/commands", self._sync),
            ("POST", "/interactions/{i}/{token}/callback", self._callback),
            ("*", "/webhooks/{a}/{token}/messages/{m}", self._answer),
            ("POST", "/webhooks/{a}/{token}", self._followup),
            ("GET", "/channels/{c}/messages", self._history),
            ("POST", "/channels/{c}/messages", self._post),
            ("GET", "/channels/{c}", self._channel),
            ("POST", "/channels/{c}/typing", self._nothing),
            ("POST", "/channels/{c}/messages/{m}/threads", self._thread),
            ("PUT", "/channels/{c}/thread-members/{u}", self._nothing),
            ("POST", "/users/@me/channels", self._direct),
        ):
            add(method, _API + path, handler)
        add("GET", "/gateway/", self.gateway.listen)
        add("GET", "/cdn/{path:.+}", self._cdn)

    @web.middleware
    async def _read(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not request.path.startswith(_API):
            return await handler(request)
        body, files = await _body(request)
        request[_BODY], request[_FILES] = body, files
        path = request.path.removeprefix(_API)
        call = Call(request.method, path, body, files, time.monotonic())
        self.calls.append(call)
        self.on_call(call, False)
        fault = next((one for one in self.faults if one.matches(request.method, path)), None)
        if fault is not None and not fault.carried_out:
            response: web.StreamResponse = fault.answer()
        else:
            try:
                response = await handler(request)
            except Rejected as rejected:
                response = rejected.answer
            self.on_call(call, True)
            if fault is not None:
                response = fault.answer()
        if fault is not None and not fault.status and request.transport is not None:
            request.transport.abort()
        if response.content_type == "application/json":
            # discord.py compares it letter by letter.
            response.headers["Content-Type"] = "application/json"
        return response

    async def _me(self, _: web.Request) -> web.Response:
        more = {"verified": True, "mfa_enabled": False, "flags": 0, "locale": "en-US"}
        return web.json_response(BOT.user() | more)

    async def _application(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "id": BOT.id, "name": "studio", "icon": None, "description": "",
                "bot_public": True, "bot_require_code_grant": False, "verify_key": "00" * 32,
                "owner": BOT.user(), "team": None, "flags": 0, "summary": "", "rpc_origins": [],
                "install_params": None,
            }
        )  # fmt: skip

    async def _gateway_address(self, _: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return web.json_response(
            {"url": self.gateway.address, "shards": 1, "session_start_limit": limit}
        )

    async def _commands(self, _: web.Request) -> web.Response:
        return web.json_response(self.commands)

    async def _sync(self, request: web.Request) -> web.Response:
        default = {"type": 1, "default_member_permissions": None, "description": ""}
        self.commands = [
            default
            | one
            | {"id": str(next(self.numbers)), "application_id": BOT.id, "version": "1"}
            for one in request[_BODY]
        ]
        return web.json_response(self.commands)

    async def _callback(self, request: web.Request) -> web.Response:
        one = self.interactions.get(request.match_info["token"])
        if one is None or time.monotonic() - one.sent > 3:
            return refusal(404, 10062, "Unknown interaction")
        if one.first.done():
            self.answered_twice += 1
            return refusal(400, 40060, "Interaction has already been acknowledged.")
        kind, data = request[_BODY]["type"], request[_BODY].get("data") or {}
        where, shown = one.payload["channel_id"], one.payload.get("message")
        match kind:
            case 4:
                one.message = self.messages.post(where, data, _sent(request))
            case 5:
                flags = (data.get("flags") or 0) | LOADING
                one.message = self.messages.post(where, {"flags": flags}, {})
            case 6 if shown:
                one.message = self.messages.all[shown["id"]]
            case 7 if shown:
                one.message = self.messages.edit(shown["id"], data, _sent(request))
        one.first.set_result((kind, data, time.monotonic() - one.sent))
        answer: dict[str, Any] = {"interaction": {"id": one.id, "type": one.payload["type"]}}
        if one.message:
            answer["interaction"]["response_message_id"] = one.message["id"]
            answer["resource"] = {"type": kind, "message": one.message}
        return web.json_response(answer)

    def _alive(self, request: web.Request) -> Interaction | None:
        one = self.interactions.get(request.match_info["token"])
        return one if one and one.first.done() and not one.expired else None

    async def _answer(self, request: web.Request) -> web.Response:
        one = self._alive(request)
        if one is None:
            return refusal(401, 50027, "Invalid Webhook Token")
        identity = request.match_info["m"]
        identity = one.message.get("id", "") if identity == "@original" else identity
        if identity not in self.messages.all:
            return refusal(404, 10008, "Unknown Message")
        if request.method == "DELETE":
            del self.messages.all[identity]
            return web.Response(status=204)
        if request.method == "PATCH":
            await asyncio.sleep(0 if _sent(request) else self.slow)
            message = self.messages.edit(identity, request[_BODY], _sent(request))
            one.edits.append(Edit(time.monotonic(), request[_BODY], _sent(request)))
            if identity == one.message["id"]:
                one.message = message
        return web.json_response(self.messages.all[identity])

    async def _followup(self, request: web.Request) -> web.Response:
        one = self._alive(request)
        if one is None:
            return refusal(401, 50027, "Invalid Webhook Token")
        where = one.payload["channel_id"]
        one.followups.append(self.messages.post(where, request[_BODY], _sent(request)))
        return web.json_response(one.followups[-1])

    async def _post(self, request: web.Request) -> web.Response:
        where = request.match_info["c"]
        return web.json_response(self.messages.post(where, request[_BODY], _sent(request)))

    async def _history(self, request: web.Request) -> web.Response:
        where, most = request.match_info["c"], int(request.query.get("limit", "50"))
        after = int(request.query.get("after", "0"))
        found = [
            one
            for one in self.messages.all.values()
            if one["channel_id"] == where
            and int(one["id"]) > after
            and not one["flags"] & EPHEMERAL
        ]
        # What comes after a message is told from there on; the newest goes first either way.
        chosen = found[:most] if after else found[-most:]
        return web.json_response([as_told(one) for one in reversed(chosen)])

    async def _channel(self, request: web.Request) -> web.Response:
        where = request.match_info["c"]
        if where not in (CHANNEL, DIRECT, *self.threads):
            return refusal(404, 10003, "Unknown Channel")
        found = self.threads.get(where) or channel(direct=where == DIRECT)
        return web.json_response(found)

    async def _thread(self, request: web.Request) -> web.Response:
        identity = request.match_info["m"]
        if identity in self.threads:
            return refusal(400, 160004, "A thread has already been created for this message")
        if identity not in self.messages.all:
            return refusal(404, 10008, "Unknown Message")
        self.threads[identity] = thread(identity, request[_BODY]["name"])
        await self.gateway.dispatch("THREAD_CREATE", self.threads[identity])
        return web.json_response(self.threads[identity], status=201)

    async def _nothing(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _direct(self, _: web.Request) -> web.Response:
        return web.json_response(channel(direct=True))

    async def _cdn(self, request: web.Request) -> web.Response:
        await self.gives.wait()
        return web.Response(body=self.messages.cdn[request.match_info["path"]])


def _sent(request: web.Request) -> dict[str, bytes]:
    return request[_FILES]


@contextlib.contextmanager
def here(api: str, gateway: str) -> Iterator[None]:
    """Have discord.py of this process call this API and this gateway."""
    route, socket = discord.http.Route, discord.gateway.DiscordWebSocket
    before = route.BASE, socket.DEFAULT_GATEWAY
    route.BASE, socket.DEFAULT_GATEWAY = api, yarl.URL(gateway)
    try:
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY = before


async def _body(request: web.Request) -> tuple[Any, dict[str, bytes]]:
    """What was sent: the JSON, and the files by their names."""
    if request.content_type != "multipart/form-data":
        raw = await request.read()
        return (json.loads(raw) if raw else None), {}
    body: Any = None
    files: dict[str, bytes] = {}
    async for part in await request.multipart():
        if part.name == "payload_json":  # type: ignore[union-attr]
            body = json.loads(await part.text())  # type: ignore[union-attr]
        else:
            files[str(part.filename)] = bytes(await part.read())  # type: ignore[union-attr]
    return body, files
