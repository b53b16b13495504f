"""A token endpoint on the loopback interface: OAuth 2's client credentials grant, with JWTs signed by HMAC.

Enough for Kafka's OAUTHBEARER: a client shows its id and secret and gets a token; the broker checks the token's
signature with the key of `jwks`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from .ports import HOST

KEY_ID = "harness"
ISSUER = "firesteel-harness"
AUDIENCE = "kafka"


class TokenEndpoint:
    """Gives tokens to one client until `close`."""

    def __init__(self, client_id: str, client_secret: str, *, lifetime_s: int = 300) -> None:
        self._credentials = (client_id, client_secret)
        self._lifetime_s = lifetime_s
        self._key = secrets.token_bytes(32)
        #: Tokens given so far, and requests refused for a wrong id or secret.
        self.given = 0
        self.refused = 0
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="token endpoint", daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients post their requests."""
        return f"http://{HOST}:{self._server.server_port}/token"

    def write_jwks(self, file: Path) -> None:
        """Write the key that checks the tokens, as a JSON Web Key Set."""
        key = {"kty": "oct", "use": "sig", "alg": "HS256", "kid": KEY_ID, "k": _text(self._key)}
        file.write_text(json.dumps({"keys": [key]}))

    def token(self, *, subject: str = "client", lifetime_s: float | None = None) -> str:
        """A signed token, good for `lifetime_s` seconds; a negative number gives an expired one."""
        now = time.time()
        ends = now + (self._lifetime_s if lifetime_s is None else lifetime_s)
        who = {"sub": subject, "iss": ISSUER, "aud": AUDIENCE, "scope": "kafka"}
        claims = {**who, "iat": int(now), "exp": int(ends)}
        head = _text(json.dumps({"alg": "HS256", "typ": "JWT", "kid": KEY_ID}).encode())
        signed = f"{head}.{_text(json.dumps(claims).encode())}"
        return f"{signed}.{_text(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"

    def answer(self, authorization: str | None, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a request with this header and these fields."""
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        if _credentials(authorization, form) != self._credentials:
            self.refused += 1
            return 401, {"error": "invalid_client"}
        self.given += 1
        token = self.token(subject=self._credentials[0])
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self._lifetime_s, "scope": "kafka"}

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _credentials(authorization: str | None, form: dict[str, list[str]]) -> tuple[str, str]:
    """Id and secret from the header, as HTTP's basic authentication has them, or from the fields."""
    if authorization and authorization.startswith("Basic "):
        try:
            name, _, secret = base64.b64decode(authorization[len("Basic ") :]).decode().partition(":")
        except ValueError:
            return "", ""
        return name, secret
    return form.get("client_id", [""])[0], form.get("client_secret", [""])[0]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler(endpoint: TokenEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # One that connects and says nothing holds a thread no longer than this.
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode(errors="replace")
            status, answer = endpoint.answer(self.headers.get("Authorization"), parse_qs(body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a request's headers hold a secret."""

    return Handler
