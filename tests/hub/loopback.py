"""A model hub on loopback: as much of the real one's HTTP as its own client asks for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "5" * 40


@dataclass
class Loopback:
    """One repository, `who/what`, and the ways in which its hub can misbehave."""

    files: dict[str, bytes]
    #: Needs this token, as a gated repository does.
    token: str | None = None
    #: Status of every answer, when the hub is out of order.
    status: int = 200
    #: Closes the connection after so many bytes of a file, this many times.
    cut_after: int = 0
    cuts: int = 0
    #: Files whose bytes are not those that the checksum promises.
    damaged: set[str] = field(default_factory=set)
    url: str = ""
    #: Every request: method, path, Range.
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def downloads(self) -> list[tuple[str, str | None]]:
        """The files that were asked for, with the ranges."""
        marker = f"/who/what/resolve/{COMMIT}/"
        return [
            (path.removeprefix(marker), part)
            for method, path, part in self.seen
            if method == "GET" and path.startswith(marker)
        ]


@contextmanager
def serve(hub: Loopback) -> Iterator[Loopback]:
    """The hub, listening on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            hub.seen.append((self.command, self.path, self.headers.get("Range")))
            if hub.status != 200:
                self.reply(hub.status, b"{}")
            elif match := re.fullmatch(r"/api/models/who/what/revision/([^/?]+)(\?.*)?", self.path):
                self.describe(match[1])
            elif match := re.fullmatch(rf"/who/what/resolve/{COMMIT}/(.+)", self.path):
                self.deliver(match[1])
            else:
                self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def describe(self, revision: str) -> None:
            if revision not in ("main", COMMIT):
                self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                return
            siblings = [
                {"rfilename": name, "size": len(content)}
                | (
                    {"lfs": {"sha256": digest(content), "size": len(content), "pointerSize": 1}}
                    if name.endswith((".safetensors", ".bin"))
                    else {}
                )
                for name, content in hub.files.items()
            ]
            about = {"id": "who/what", "modelId": "who/what", "sha": COMMIT, "siblings": siblings}
            self.reply(200, json.dumps(about).encode())

        def deliver(self, name: str) -> None:
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                sent = self.headers.get("Authorization")
                code = "GatedRepo"
                self.reply(403 if sent else 401, b"{}", {"X-Error-Code": code})
                return
            content = hub.files[name]
            head = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest(content)}"'}
            if name in hub.damaged:
                content = bytes(len(content))
            start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
            body = content[start:]
            head |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            if self.command == "GET" and hub.cuts and len(body) > hub.cut_after:
                hub.cuts -= 1
                self.reply(206 if start else 200, body, head, only=hub.cut_after)
                self.close_connection = True
                if not hub.cuts:
                    hub.status = 503
                return
            self.reply(206 if start else 200, body, head)

        def reply(
            self,
            status: int,
            body: bytes,
            head: dict[str, str] | None = None,
            only: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in {**(head or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[:only])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
