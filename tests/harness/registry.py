"""A schema registry on the loopback interface that follows Confluent's REST API as far as clients read it.

It holds schemas by id and by subject, wants a login if told to, and fails or hangs on demand. It is a real HTTP server;
only what is behind it is small.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import threading
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

SCHEMA_NOT_FOUND = 40403
SUBJECT_NOT_FOUND = 40401
#: Longest time for which a request hangs; a client that waits longer is at fault.
HANG_S = 60


@dataclass
class Registry:
    """The stand-in; use it as a context manager.

    Parameters
    ----------
    login : tuple of str, optional
        User and password that requests must carry.
    token : str, optional
        Bearer token that requests must carry.
    """

    login: tuple[str, str] | None = None
    token: str | None = None
    #: Requests that get this status before the next good answer.
    failures: list[int] = field(default_factory=list)
    #: Whether requests get no answer at all.
    hangs: bool = False
    #: Paths asked for, in order.
    asked: list[str] = field(default_factory=list)
    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    subjects: dict[str, list[int]] = field(default_factory=dict)

    def __enter__(self) -> Registry:
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def register(self, subject: str, schema: str, **more: Any) -> int:
        """Register a schema over HTTP, as a producer would, and give its id."""
        body = json.dumps({"schema": schema, **more}).encode()
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        if self.login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        elif self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}/subjects/{subject}/versions", data=body, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return int(json.load(answer)["id"])

    def wait(self) -> None:
        """Hang until the server stops, but not for ever."""
        self._stopped.wait(HANG_S)

    def add(self, subject: str, body: dict[str, Any]) -> int:
        """Give the id of a schema, a new one unless it is known."""
        entry = {key: body[key] for key in ("schema", "schemaType", "references") if body.get(key)}
        known = [number for number, other in self.schemas.items() if other == entry]
        number = known[0] if known else 1 + max(self.schemas, default=0)
        self.schemas[number] = entry
        versions = self.subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def allows(self, header: str | None) -> bool:
        """Whether a request with this Authorization header is let in."""
        if self.login:
            return header == "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        return header == f"Bearer {self.token}" if self.token else True


def framed(number: int, datum: bytes) -> bytes:
    """Put Confluent's header in front of a datum."""
    return b"\x00" + struct.pack(">I", number) + datum


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

        def answer(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def is_let_in(self) -> bool:
            if registry.hangs:
                registry.wait()
                self.close_connection = True
                return False
            if registry.failures:
                self.answer(registry.failures.pop(0), {"error_code": 50001, "message": "told to fail"})
                return False
            if not registry.allows(self.headers.get("Authorization")):
                self.answer(401, {"error_code": 401, "message": "Unauthorized"})
                return False
            return True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = re.fullmatch(r"/subjects/([^/]+)/versions", self.path)
            if self.is_let_in() and found:
                self.answer(200, {"id": registry.add(unquote(found[1]), body)})

        def do_GET(self) -> None:
            registry.asked.append(self.path)
            if not self.is_let_in():
                return
            if found := re.fullmatch(r"/schemas/ids/(\d+)", self.path):
                entry = registry.schemas.get(int(found[1]))
                missing = {"error_code": SCHEMA_NOT_FOUND, "message": f"Schema {found[1]} not found"}
                self.answer(200 if entry else 404, entry or missing)
            elif found := re.fullmatch(r"/subjects/([^/]+)/versions/latest", self.path):
                subject = unquote(found[1])
                versions = registry.subjects.get(subject)
                if versions:
                    entry = {"subject": subject, "version": len(versions), "id": versions[-1]}
                    self.answer(200, entry | registry.schemas[versions[-1]])
                else:
                    self.answer(404, {"error_code": SUBJECT_NOT_FOUND, "message": f"Subject '{subject}' not found."})
            else:
                self.answer(404, {"error_code": 404, "message": "HTTP 404 Not Found"})

    return Handler
