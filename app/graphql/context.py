"""What a resolver can reach: the caller, the services, and the loaders of one request."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import cached_property
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from app.access import Actor, SessionPrincipal
from app.assembly import Services
from app.credentials.passkey_values import Passkey
from app.credentials.passwords import KeptPassword
from app.credentials.totp import Authenticator
from app.credentials.trusted_devices import TrustedDevice
from app.federation.identities import Identity
from app.flows.result import StepResult
from app.flows.step import FlowRequest
from app.http import Asked, Caller, SessionCookie
from app.http.browsers import kept, secrets_of
from app.http.flows import flow_request, handed_over
from app.metadata import Bags
from app.paging import Page, PageRequest
from app.sessions import Session, SignedIn
from app.users import Email

K = TypeVar("K")
V = TypeVar("V")


class Loader(DataLoader[K, V]):
    """Gathers keys into one statement.

    Who stops waiting for a value, since a sibling was refused, takes it from nobody else.
    """

    def load(self, key: K) -> Awaitable[V]:
        """Give the value of a key, once it is there."""
        return asyncio.shield(super().load(key))


class Context:
    """One request. Loaders gather what sibling fields ask for into one statement each.

    A user who is deleted between two of them has empty bags.
    """

    def __init__(
        self,
        caller: Caller,
        services: Services,
        cookie: SessionCookie | None = None,
        asked: Asked | None = None,
    ) -> None:
        self.caller = caller
        self.services = services
        self._cookie = cookie
        self._asked = asked
        self.response_headers: list[tuple[bytes, bytes]] = []

    @property
    def actor(self) -> Actor:
        """On whose behalf the request runs."""
        return self.caller.actor

    @property
    def signed_in(self) -> SignedIn | None:
        """The caller's session with its user, where there is one."""
        return self.caller.signed_in

    def forget_loaded(self) -> None:
        """Let go of what has been read: a change makes it old."""
        for name in _LOADERS:
            vars(self).pop(name, None)

    def remember_browser(self, secret: str) -> None:
        """Let the browser keep the secret of a sign-in at a provider (SEC-074)."""
        if self._cookie is not None and self._asked is not None:
            secrets = secrets_of(self._asked, self._cookie).having(secret)
            self.response_headers.append(kept(secrets, self._cookie))

    def forget_session(self) -> None:
        """Make the browser forget its cookie, on the listener that browsers use (SEC-108)."""
        if self._cookie is not None:
            self.response_headers += self._cookie.deletion()

    def flow_request(self, language: str = "") -> FlowRequest:
        """Gather what the request brings to a flow."""
        if self._asked is None:
            return FlowRequest(self.actor, language)
        return flow_request(self._asked, self.actor, self.services.config, language)

    def hand_over(self, result: StepResult) -> str | None:
        """Hand the session of a step to the browser; give its token where the body carries it.

        The body carries it to who has no cookies of ours, and where a script could read it anyway
        (SEC-031). What is asked further is asked as the one who has signed in.
        """
        if self._cookie is not None:
            self.response_headers += handed_over(result, self._cookie)
        issued = result.issued
        if issued is None:
            return None
        principal = SessionPrincipal(issued.session.id, issued.session.user_id)
        self.caller = Caller(Actor(session=principal, origin=self.actor.origin))
        session = self.services.config.session
        in_body = session.enable_auth_token_header or not session.cookie.http_only
        return issued.token if self._cookie is None or in_body else None

    @cached_property
    def emails(self) -> Loader[UUID, list[Email]]:
        """Addresses by user."""

        async def load(ids: list[UUID]) -> Sequence[list[Email]]:
            found = await self.services.users.emails_of(ids)
            return [found[user_id] for user_id in ids]

        return Loader(load)

    @cached_property
    def identities(self) -> Loader[UUID, list[Identity]]:
        """Identities at providers by user."""

        async def load(ids: list[UUID]) -> Sequence[list[Identity]]:
            found = await self.services.federation.identities_of(ids)
            return [found[user_id] for user_id in ids]

        return Loader(load)

    @cached_property
    def passkeys(self) -> Loader[UUID, Sequence[Passkey]]:
        """Passkeys and security keys by user."""

        async def load(ids: list[UUID]) -> Sequence[Sequence[Passkey]]:
            found = await self.services.passkeys.of(ids)
            return [found[user_id] for user_id in ids]

        return Loader(load)

    @cached_property
    def passwords(self) -> Loader[UUID, KeptPassword | None]:
        """Passwords by user, without their hashes."""

        async def load(ids: list[UUID]) -> Sequence[KeptPassword | None]:
            found = await self.services.passwords.of_all(ids)
            return [found.get(user_id) for user_id in ids]

        return Loader(load)

    @cached_property
    def authenticators(self) -> Loader[UUID, Authenticator | None]:
        """Authenticator apps by user."""

        async def load(ids: list[UUID]) -> Sequence[Authenticator | None]:
            found = await self.services.totp.of_all(ids)
            return [found.get(user_id) for user_id in ids]

        return Loader(load)

    @cached_property
    def recovery_codes(self) -> Loader[UUID, int]:
        """Numbers of recovery codes by user."""

        async def load(ids: list[UUID]) -> Sequence[int]:
            found = await self.services.recovery_codes.left_of(ids)
            return [found[user_id] for user_id in ids]

        return Loader(load)

    @cached_property
    def trusted_devices(self) -> Loader[UUID, Sequence[TrustedDevice]]:
        """Trusted browsers by user; the request's cookie tells which of them is asking."""

        async def load(ids: list[UUID]) -> Sequence[Sequence[TrustedDevice]]:
            cookie = self.flow_request().device_trust
            found = await self.services.trusted_devices.of_all(ids, cookie)
            return [found[user_id] for user_id in ids]

        return Loader(load)

    @cached_property
    def bags(self) -> Loader[UUID, Bags]:
        """Public and unsafe bags by user."""

        async def load(ids: list[UUID]) -> Sequence[Bags]:
            found = await self.services.metadata.of(ids)
            return [found.get(user_id) or Bags(user_id) for user_id in ids]

        return Loader(load)

    @cached_property
    def private_bags(self) -> Loader[UUID, str]:
        """Private bags by user; asked for behind the guard alone."""

        async def load(ids: list[UUID]) -> Sequence[str]:
            found = await self.services.metadata.private_of(ids)
            return [found.get(user_id, "{}") for user_id in ids]

        return Loader(load)

    @cached_property
    def sessions(self) -> Loader[tuple[UUID, PageRequest], Page[Session]]:
        """Pages of sessions by user and page; one statement for each page asked for."""

        async def load(keys: list[tuple[UUID, PageRequest]]) -> Sequence[Page[Session]]:
            found: dict[tuple[UUID, PageRequest], Page[Session]] = {}
            for asked in {asked for _, asked in keys}:
                ids = [user_id for user_id, other in keys if other == asked]
                pages = await self.services.sessions.pages_of(ids, asked)
                found |= {(user_id, asked): page for user_id, page in pages.items()}
            return [found[key] for key in keys]

        return Loader(load)


_LOADERS = tuple(
    name for name, member in vars(Context).items() if isinstance(member, cached_property)
)
Info = StrawberryInfo[Context, None]
