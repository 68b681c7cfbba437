"""A small OpenID Connect provider for tests: discovery, JWKS, code flow with PKCE, signed ID tokens.

It checks what a provider must (redirect address, client's secret, verifier, one use of a code: RFC 6749, 7636, OpenID
Connect Core), so a client that leaves something out is refused. `wrong` makes it lie, one claim or key at a time.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route


@dataclass
class TestProvider:
    """`person` is whom it says the browser belongs to; `asked` are the parameters of each authorization request."""

    client_id: str
    secret: str
    callback: str
    person: str = "sato"
    wrong: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    issuer: str = ""
    __test__ = False

    def __post_init__(self) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256"})
        self._other = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256"})
        self._codes: dict[str, dict[str, str]] = {}
        routes = [
            Route("/.well-known/openid-configuration", self._about),
            Route("/jwks", self._jwks),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> TestProvider:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    async def _about(self, request: Request) -> Response:
        issuer = "http://other.test" if self.wrong == "issuer" else self.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        unknown = {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "later"}
        return JSONResponse({"keys": [unknown, self._key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        if (asked.get("client_id"), asked.get("redirect_uri")) != (self.client_id, self.callback):
            return Response("unknown client or address", status_code=400)
        back = {"state": asked["state"], "iss": self.issuer}
        fit = asked.get("response_type") == "code" and "openid" in asked.get("scope", "").split()
        if not fit or asked.get("code_challenge_method") != "S256" or self.wrong == "denied":
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = asked
        return RedirectResponse(f"{self.callback}?{urlencode(back)}", status_code=302)

    async def _token(self, request: Request) -> Response:
        form = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
        kind, _, held = request.headers.get("authorization", "").partition(" ")
        client = base64.b64decode(held).decode() if kind == "Basic" else ""
        if unquote_plus(client) != f"{self.client_id}:{self.secret}":
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        asked = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        wrong = asked is None or form.get("redirect_uri") != self.callback or asked["code_challenge"] != challenge
        if wrong or asked is None or form.get("grant_type") != "authorization_code":
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        token = self._signed(asked["nonce"])
        answer = {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": token,
        }
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    def _signed(self, nonce: str) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "1234",
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            "preferred_username": self.person,
        }
        lies: dict[str, Any] = {"iss": "http://other", "aud": "other", "exp": now - 3600, "nonce": "other"}
        if self.wrong in lies:
            claims[self.wrong] = lies[self.wrong]
        if self.wrong == "none":
            head, body = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', b"{}"))
            return f"{head}.{body}."
        key = self._other if self.wrong == "key" else self._key
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
