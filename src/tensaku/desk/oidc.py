"""OpenID Connect with the house's own provider: authorization code with PKCE, state and nonce (authlib)."""

from __future__ import annotations

import hmac
import secrets
import time
import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from tensaku.desk.access import OidcRules
from tensaku.desk.frame import Refused
from tensaku.desk.words import Language

__all__ = ["Provider"]

WAIT_SECONDS = 600.0
"""How long a sign-in may take at the provider."""
_MOST_WAITING = 1000
_BASIC = "client_secret_basic"
_ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]


def _basic(client: Any, method: str, uri: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
    """Name and secret in the header, each encoded as RFC 6749, 2.3.1 has it; authlib joins them as they are."""
    held = ":".join(quote(part, safe="") for part in (client.client_id, client.client_secret))
    headers["Authorization"] = f"Basic {b64encode(held.encode()).decode()}"
    return uri, headers, body


def _known_keys(told: Mapping[str, Any]) -> Any:
    """A provider's keys without those of a kind that is not known here, which are to be passed over (RFC 7517, 5)."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry, KeySet

    held = told.get("keys")
    keys = []
    for one in held if isinstance(held, list) else []:
        try:
            keys.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return KeySet(keys)


class Provider:
    """One provider; what it says of itself is read when the first person comes.

    A sign-in that is under way is kept in memory: after a restart of the server it is begun anew.
    """

    def __init__(self, rules: OidcRules) -> None:
        self._rules = rules
        self._waiting: dict[str, dict[str, Any]] = {}

    async def begin(self, callback: str, going: str, language: Language = "ja") -> tuple[str, str]:
        """The address to send the browser to, and the state that its cookie has to bring back.

        The state begins with the language, so that whatever comes of it is said to the reader in that one.

        Raises:
            Refused: the provider cannot be reached or describes itself wrongly.
        """
        about = await self._about()
        now = time.monotonic()
        self._waiting = {k: v for k, v in self._waiting.items() if now - v["at"] < WAIT_SECONDS}
        if len(self._waiting) >= _MOST_WAITING:
            raise Refused(503, "fault_provider")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        state = f"{language}.{state}"
        async with self._client(callback, about) as client:
            address, _ = client.create_authorization_url(
                about["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        self._waiting[state] = {"at": now, "nonce": nonce, "verifier": verifier, "going": going, "callback": callback}
        return address, state

    async def end(self, answer: Mapping[str, str], cookie: str) -> tuple[str, str]:
        """The name that the provider vouches for, and where to go.

        Raises:
            Refused: the answer belongs to no sign-in of this browser, or its token does not hold.
        """
        state = answer.get("state", "")
        waiting = self._waiting.pop(state, None)
        if waiting is None or not hmac.compare_digest(state.encode(), cookie.encode()):
            raise Refused(403, "fault_token")
        if time.monotonic() - waiting["at"] > WAIT_SECONDS or "code" not in answer:
            raise Refused(403, "fault_provider_refused")
        about = await self._about()
        if answer.get("iss", about["issuer"]) != about["issuer"]:  # RFC 9207
            raise Refused(403, "fault_provider_refused")
        token = await self._token(about, waiting, answer["code"])
        claims = await self._claims(about, str(token.get("id_token", "")), waiting["nonce"])
        name = claims.get(self._rules.claim)
        if name is None and isinstance(about.get("userinfo_endpoint"), str):
            name = (await self._person(about, token, claims["sub"])).get(self._rules.claim)
        if not isinstance(name, str) or not name:
            raise Refused(403, "fault_unknown_person")
        return name, waiting["going"]

    def _client(self, callback: str, about: Mapping[str, Any]) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        rules = self._rules
        method: str | Callable[..., Any] = "none"
        if rules.client_secret:
            offered = about.get("token_endpoint_auth_methods_supported") or [_BASIC]  # what it is if nothing is said
            method = "client_secret_post" if _BASIC not in offered and "client_secret_post" in offered else _basic
        return AsyncOAuth2Client(
            rules.client_id,
            rules.client_secret or None,
            scope=rules.scope,
            redirect_uri=callback,
            code_challenge_method="S256",
            token_endpoint_auth_method=method,
            timeout=10,
            verify=rules.authorities or True,
            trust_env=False,
        )

    async def _about(self) -> dict[str, Any]:
        about = await self._get(self._rules.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if about.get("issuer") != self._rules.issuer or not all(
            isinstance(about.get(key), str) for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        ):
            raise Refused(502, "fault_provider")
        return about

    async def _get(self, address: str, bearer: str = "") -> dict[str, Any]:
        import httpx

        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            async with httpx.AsyncClient(timeout=10, verify=self._rules.authorities or True, trust_env=False) as client:
                answer = await client.get(address, headers=headers)
                answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, OSError, ValueError):
            raise Refused(502, "fault_provider") from None
        if not isinstance(found, dict):
            raise Refused(502, "fault_provider")
        return found

    async def _token(self, about: Mapping[str, Any], waiting: Mapping[str, Any], code: str) -> Mapping[str, Any]:
        import httpx
        from authlib.common.errors import AuthlibBaseError

        try:
            async with self._client(waiting["callback"], about) as client:
                token: Mapping[str, Any] = await client.fetch_token(
                    about["token_endpoint"], code=code, code_verifier=waiting["verifier"]
                )
                return token
        except AuthlibBaseError:
            raise Refused(403, "fault_provider_refused") from None
        except (httpx.HTTPError, OSError, ValueError):
            raise Refused(502, "fault_provider") from None

    async def _person(self, about: Mapping[str, Any], token: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        """What the provider says of the person where it is asked; an ID token need not hold it (Core 5.4)."""
        told = await self._get(about["userinfo_endpoint"], str(token.get("access_token", "")))
        if told.get("sub") != subject:  # Core 5.3.2: else it speaks of somebody else
            raise Refused(403, "fault_provider_refused")
        return told

    async def _claims(self, about: Mapping[str, Any], token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token that is signed by the provider, made for us, for this sign-in, and fresh."""
        from joserfc import jwt
        from joserfc.errors import JoseError, SecurityWarning

        keys = _known_keys(await self._get(about["jwks_uri"]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # the name EdDSA is old, not weak
                decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            claims = decoded.claims
            registry = jwt.JWTClaimsRegistry(
                leeway=60,
                iss={"essential": True, "value": about["issuer"]},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            registry.validate(claims)
        except (JoseError, ValueError):
            raise Refused(403, "fault_provider_refused") from None
        audience = claims.get("aud")
        for_us = audience == self._rules.client_id or (
            isinstance(audience, list)
            and self._rules.client_id in audience
            and claims.get("azp", self._rules.client_id) == self._rules.client_id
        )
        if not for_us:
            raise Refused(403, "fault_provider_refused")
        return claims
