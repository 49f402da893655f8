"""The claim template of a deployment: read, set, tried out, and filled in for a user."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from app import strictjson
from app.access import Actor
from app.audit import AuditLog
from app.claims.check import Caps, check_claims, worst_case_size
from app.claims.claims import Rendered, render_claims
from app.claims.errors import ClaimsTooLarge, TemplateSyntaxError
from app.clock import Clock
from app.config import sections
from app.errors import Invalid, NotFound
from app.persistence import exclusive, fetch, fetch_row, transaction
from app.strictjson import Json
from app.templates.errors import ClaimsNotAnObject, ClaimsTooLong
from app.templates.memory import Memory
from app.templates.sorting import Sorted, sort_out
from app.templates.subject import SUBJECT_COLUMNS, SUBJECT_JOINS, Subject, subject_of

MAX_BYTES = 16 * 1024
"""Bytes that claims may have as they are written."""

_SUBJECT = f"SELECT {SUBJECT_COLUMNS} FROM app_user u {SUBJECT_JOINS} WHERE u.id = $1"
_STORED = "SELECT claims, version, updated_at FROM jwt_template WHERE id = 1"
_SAVE = """
INSERT INTO jwt_template (id, claims, version, updated_at) VALUES (1, $1, 1, $2)
ON CONFLICT (id) DO UPDATE SET
    claims = excluded.claims, version = jwt_template.version + 1, updated_at = excluded.updated_at
RETURNING version
"""
_RESET = "DELETE FROM jwt_template WHERE id = 1 RETURNING version"
_TEMPLATES_KEPT = 8
_ABSENT = object()
_RENDERINGS_KEPT = 1024
_WAYS_OUT = "Lower the caps of the bags (user_metadata.limits), or allow omission (allowOmission)."
_log = logging.getLogger("sekisho.templates")


@dataclass(frozen=True, slots=True)
class Template:
    """The claims in force and where they come from; configured ones have version 0."""

    claims: Mapping[str, Json]
    source: Literal["configuration", "database"]
    version: int = 0
    updated_at: datetime | None = None


class Excess(NamedTuple):
    """How many bytes a user's claims would take, and how many are allowed."""

    size: int
    limit: int


@dataclass(frozen=True, slots=True)
class ClaimTemplates:
    """The template in force: the one that was set, or else the configured one."""

    config: sections.JwtTemplate
    caps: Caps
    audit: AuditLog
    clock: Clock
    _templates: Memory[str | None, Sorted] = field(
        default_factory=lambda: Memory(_TEMPLATES_KEPT), init=False
    )
    _renderings: Memory[bytes, Rendered] = field(
        default_factory=lambda: Memory(_RENDERINGS_KEPT), init=False
    )
    _worst: Memory[str, int | None] = field(
        default_factory=lambda: Memory(_TEMPLATES_KEPT), init=False
    )

    async def subject(self, user_id: UUID) -> Subject | None:
        """Read what claims can show of a user, and the stored template, in one statement."""
        row = await fetch_row(_SUBJECT, user_id)
        return None if row is None else subject_of(row)

    def render(self, subject: Subject, room: int | None = None, *, report: bool = True) -> Rendered:
        """Fill in the template in force for a user; it never fails.

        What takes more bytes than the budget, or than *room*, is cut down by leaving out the
        largest claims. The same rendering is given out again where nothing has changed, so it is
        not to be altered.

        Args:
            subject: The user.
            room: Bytes that there are for the claims as compact JSON, where that is known.
            report: Whether each claim left out goes into the log (SEC-010), as where a token is
                made; not where claims are only compared or shown.
        """
        limit = self._limit(room)
        rendered = self._rendered(subject, limit)
        for omitted in rendered.omitted if report else ():
            extra = {"claim": omitted.claim, "reason": omitted.reason, "user_id": subject.user_id}
            _log.warning("claim left out", extra=extra)
        return rendered

    async def live(self) -> Template:
        """Give the template in force."""
        row = await fetch_row(_STORED)
        if row is None:
            return self._configured()
        return Template(_read(row["claims"]), "database", row["version"], row["updated_at"])

    def worst_case(self, template: Template) -> int | None:
        """Give the most bytes that the claims can take with full bags; None without a bound."""
        claims = template.claims
        return self._worst.get(
            strictjson.encode(claims),
            lambda: worst_case_size(sort_out(claims).claims, self.caps),
        )

    async def set(self, actor: Actor, claims: Json, *, allow_omission: bool = False) -> Template:
        """Put claims in the place of those in force, from the next token on.

        Args:
            actor: On whose behalf; the audit record names it.
            claims: An object of claims, in which every text is a template.
            allow_omission: Take claims too that can outgrow the budget; a token then goes without
                the largest of them.

        Raises:
            ClaimsNotAnObject, ClaimsTooLong: They cannot be kept.
            TemplateSyntaxError, PrivateMetadataNamed, ClaimReserved: A claim breaks a rule; `path`
                says which and where.
            ClaimsTooLarge: Full bags could take them beyond the budget.
        """
        text = _checked(claims)
        if not allow_omission:
            self._check_size(claims)
        async with transaction():
            await exclusive("jwt_template")
            now = self.clock()
            rows = await fetch(_SAVE, text, now)
            await self._record(actor, claims)
        return Template(claims, "database", rows[0]["version"], now)

    async def reset(self, actor: Actor) -> Template:
        """Let the configured claims be in force again."""
        async with transaction():
            await exclusive("jwt_template")
            if await fetch(_RESET):
                await self._record(actor, self.config.claims)
        return self._configured()

    async def preview(self, user_id: UUID, claims: Json | None = None) -> Rendered:
        """Show what claims, or those in force, come to for a user; nothing is kept.

        Raises:
            NotFound: There is no such user.
            ClaimsNotAnObject, ClaimsTooLong: The claims could not be kept.
            TemplateSyntaxError, PrivateMetadataNamed, ClaimReserved: A claim breaks a rule.
        """
        text = None if claims is None else _checked(claims)
        subject = await self.subject(user_id)
        if subject is None:
            raise NotFound("There is no such user.", path=("user_id",))
        tried = subject if text is None else replace(subject, template=text)
        return self.render(tried, report=False)

    async def excess(self, user_id: UUID, public: str, unsafe: str) -> Excess | None:
        """Say by how much a user's claims would outgrow the budget if the bags held this.

        Claims that are over it already may stay as large as they are. None as well where such
        claims are to be left out of tokens (`over_budget`) or where there is no budget.
        """
        limit = self.config.budget
        if self.config.over_budget == "omit" or not limit:
            return None
        subject = await self.subject(user_id)
        if subject is None:
            return None
        size = self._filled(replace(subject, public=public, unsafe=unsafe)).size
        if size <= limit or size <= self._filled(subject).size:
            return None
        return Excess(size, limit)

    def warn(self) -> None:
        """Log what is wrong with the configured claims; the server starts all the same."""
        sorted_ = self._sorted(None)
        for fault in sorted_.refused:
            extra = {"claim": ".".join(fault.path), "reason": fault.reason}
            _log.warning("configured claim refused", extra=extra)
        reason = fault_of_size(self.config, self.caps)
        if reason is not None:
            _log.warning("configured claims may not fit", extra={"reason": reason})

    def _rendered(self, subject: Subject, limit: int | None) -> Rendered:
        """Fill the template in, or remember what came of it where that is not so simple."""
        plain = self._sorted(subject.template).plain
        if plain is not None and (rendered := plain.fill(subject.bags())) is not None:
            return self._cut(rendered, subject, limit)
        key = _fingerprint(subject, limit)
        return self._renderings.get(key, lambda: self._cut(self._filled(subject), subject, limit))

    def _cut(self, rendered: Rendered, subject: Subject, limit: int | None) -> Rendered:
        """Leave out what there is no room for.

        What the user has a say in goes before anything else: nobody writes into their unsafe bag
        to be rid of a claim that a server has put into their token (SEC-008).
        """
        if limit is None or rendered.size <= limit:
            return rendered
        unsaid = self._filled(subject.without_a_say()).claims
        kept = rendered.claims
        said = frozenset(name for name in kept if unsaid.get(name, _ABSENT) != kept[name])
        return rendered.within(limit, first=said)

    def _filled(self, subject: Subject) -> Rendered:
        sorted_ = self._sorted(subject.template)
        rendered = render_claims(sorted_.claims, subject.as_user())
        refused = (fault.omitted for fault in sorted_.refused)
        return Rendered(rendered.claims, (*refused, *rendered.omitted))

    def _sorted(self, stored: str | None) -> Sorted:
        return self._templates.get(
            stored, lambda: sort_out(self.config.claims if stored is None else _read(stored))
        )

    def _limit(self, room: int | None) -> int | None:
        limits = [limit for limit in (self.config.budget or None, room) if limit is not None]
        return min(limits, default=None)

    def _configured(self) -> Template:
        return Template(self.config.claims, "configuration")

    def _check_size(self, claims: Mapping[str, Json]) -> None:
        try:
            check_claims(claims, caps=self.caps, budget=self.config.budget or None)
        except ClaimsTooLarge as error:
            raise ClaimsTooLarge(f"{error.message} {_WAYS_OUT}", path=("claims",)) from None

    async def _record(self, actor: Actor, claims: Mapping[str, Any]) -> None:
        """Name the claims; what stands in their templates is nobody's to read in a record."""
        await self.audit.record("jwt_template_updated", actor, details={"claims": sorted(claims)})


def fault_of_size(config: sections.JwtTemplate, caps: Caps) -> str | None:
    """Say why configured claims may not fit, None where they do; a token goes without some."""
    try:
        check_claims(sort_out(config.claims).claims, caps=caps, budget=config.budget or None)
    except (ClaimsTooLarge, TemplateSyntaxError) as error:
        return error.message
    return None


def _checked(claims: Json) -> str:
    """Give the text that claims are kept as, if they may be."""
    if not isinstance(claims, dict):
        raise ClaimsNotAnObject(path=("claims",))
    if strictjson.depth(claims) > strictjson.MAX_DEPTH:
        raise TemplateSyntaxError("The claims are nested too deeply.", path=("claims",))
    try:
        check_claims(claims)
    except Invalid as error:
        raise type(error)(error.message, path=("claims", *error.path)) from None
    text = strictjson.encode(claims)
    if len(text.encode()) > MAX_BYTES:
        raise ClaimsTooLong(path=("claims",))
    return text


def _read(stored: str) -> dict[str, Json]:
    """Read stored claims; what somebody has put there by hand and is none comes to nothing."""
    try:
        claims = strictjson.parse(stored.encode())
    except strictjson.NotJson as error:
        _log.error("stored claims cannot be read", extra={"reason": str(error)})
        return {}
    return claims if isinstance(claims, dict) else {}


def _fingerprint(subject: Subject, limit: int | None) -> bytes:
    """Stand for everything that a rendering depends on, in few bytes."""
    user = (*subject.as_user().values(), subject.template, limit)
    return hashlib.sha256(strictjson.encode_bytes(user)).digest()
