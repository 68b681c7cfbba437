"""Who is at the desk: sessions in cookies, tokens against forged forms, and what the house asks of a sign-in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any

from tensaku.desk.rights import PersonalLedger
from tensaku.govern.barriers import Barriers
from tensaku.ledger import Ledger, PersonRow

__all__ = ["Access", "AccessRules", "OidcRules", "Signed"]


@dataclass(frozen=True, slots=True)
class OidcRules:
    """The house's own OpenID Connect provider; `issuer` empty: there is none.

    `claim` of the ID token holds the person's short name; `label` stands on the button.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    claim: str = "preferred_username"
    scope: str = "openid profile"
    label: str = ""
    authorities: str = ""
    """File with the certificates (PEM) that vouch for the provider; empty: those of this machine."""


@dataclass(frozen=True, slots=True)
class AccessRules:
    """How people sign in.

    `open` lets everybody on this machine say who they are, without a password; another machine is asked for one.
    `secure` is true if the browser speaks TLS, to us or to a proxy before us. Times are hours and minutes.
    """

    open: bool = True
    secure: bool = False
    hours: float = 12.0
    idle_minutes: float = 120.0
    failures: int = 5
    lock_minutes: float = 15.0
    task: str = ""
    oidc: OidcRules = OidcRules()


@dataclass(frozen=True, slots=True)
class Signed:
    """A person with a living session; `token` is what the browser holds."""

    person: PersonRow
    token: str = field(repr=False)
    how: str

    @property
    def form_token(self) -> str:
        """Goes with every form of this session; another site cannot know it."""
        return hmac.digest(self.token.encode(), b"tensaku form", hashlib.sha256).hex()

    def sent_by_us(self, token: object) -> bool:
        """Whether a form carries the token of this session."""
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.form_token.encode())


class Access:
    """Sessions of the desk, and what whoever has signed in may see. What blocks says so."""

    def __init__(self, ledger: Ledger, rules: AccessRules, barriers: Barriers | None = None) -> None:
        self.ledger, self.rules, self.barriers = ledger, rules, barriers
        # The prefix makes browsers take the cookie from this very host over TLS alone.
        self.cookie = "__Host-tensaku" if rules.secure else "tensaku-session"
        self.form_cookie = "__Host-tensaku-form" if rules.secure else "tensaku-form"

    def own(self, person: str) -> PersonalLedger:
        """The ledger as a person may use it."""
        return PersonalLedger(self.ledger, person, self.barriers)

    def sees(self, person: str, release: str) -> bool:
        """Whether a person stands inside every barrier around a release. Blocks."""
        return self.barriers is None or not release or self.barriers.opens(person, release)

    def opens(self, client: Any) -> bool:
        """Whether who asks from this address (as ASGI gives it) is asked for no password: this machine alone."""
        try:
            return self.rules.open and ip_address(client[0]).is_loopback
        except (TypeError, ValueError):  # a socket without an address
            return False

    def signed(self, cookies: Mapping[str, str], *, opens: bool = True, touch: bool = True) -> Signed | None:
        """Who sends these cookies, if the session lives and the person's rights reach this task. Blocks.

        `opens`: a session that was begun without a password counts, too. `touch`: this is use, so it is not idle.
        """
        token = cookies.get(self.cookie, "")
        if not 20 <= len(token) <= 100:
            return None
        found = self.ledger.session(token, idle_minutes=self.rules.idle_minutes, touch=touch)
        if (
            found is None
            or not found[1].may(task=self.rules.task)
            or (found[0].how == "open" and not (opens and self.rules.open))
        ):
            return None
        return Signed(found[1], token, found[0].how)

    def by_password(self, name: str, password: str) -> PersonRow | None:
        """The person, if name and password are right and the rights reach this task. Blocks."""
        rules = self.rules
        person = self.ledger.check_password(name, password, failures=rules.failures, minutes=rules.lock_minutes)
        return person if person is not None and person.may(task=rules.task) else None

    def by_name(self, name: str) -> PersonRow | None:
        """The active person of that name whose rights reach this task, with no proof asked. Blocks."""
        return next((person for person in self.people() if person.name == name), None)

    def people(self) -> list[PersonRow]:
        """Everybody who may come in. Blocks."""
        return [p for p in self.ledger.people() if p.active and p.may(task=self.rules.task)]

    def begin(self, person: PersonRow, how: str) -> str:
        """Begin a session; returns the browser's token. Blocks."""
        return self.ledger.begin_session(person.name, how=how, hours=self.rules.hours)

    def cookie_options(self) -> dict[str, Any]:
        """How the session's cookie is set: out of reach for scripts and for other sites' forms."""
        return {"httponly": True, "samesite": "lax", "secure": self.rules.secure, "path": "/"}

    @staticmethod
    def new_form_token() -> str:
        """For forms that are sent before anybody is signed in: the same in cookie and form."""
        return secrets.token_urlsafe(24)


def cookies_of(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The cookies of a request as ASGI hands it over; what is not well formed is left out."""
    found: dict[str, str] = {}
    for key, value in headers:
        if key.lower() == b"cookie":
            jar: SimpleCookie = SimpleCookie()
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                continue
            found.update({name: morsel.value for name, morsel in jar.items()})
    return found
