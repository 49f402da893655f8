"""Reads and changes users' bags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app import strictjson
from app.access import Actor
from app.audit import AuditLog
from app.config import sections
from app.config.sections import BagLimit
from app.errors import NotFound
from app.metadata.changes import Bag, BagChanges, Mode
from app.metadata.errors import MetadataOverflowsClaims, MetadataVersionConflict
from app.metadata.patch import check, compact, merge_patch
from app.persistence import Row, fetch, transaction
from app.templates import ClaimTemplates

EMPTY = "{}"
_LOCK = """
SELECT user_id, public_bag, private_bag, unsafe_bag, version
FROM user_metadata WHERE user_id = $1 FOR UPDATE
"""
_OF = """
SELECT user_id, public_bag, unsafe_bag, version FROM user_metadata WHERE user_id = ANY($1)
"""
_PRIVATE_OF = "SELECT user_id, private_bag FROM user_metadata WHERE user_id = ANY($1)"
_SAVE = """
UPDATE user_metadata SET public_bag = $2, private_bag = $3, unsafe_bag = $4, version = $5
WHERE user_id = $1
"""
_INSERT = """
INSERT INTO user_metadata (user_id, public_bag, private_bag, unsafe_bag, version)
VALUES ($1, $2, $3, $4, $5)
"""


@dataclass(frozen=True, slots=True)
class Bags:
    """A user's bags, each as the compact JSON it is stored as.

    `private` is None where it was not asked for: what a session sees is read without it (SEC-002).
    """

    user_id: UUID
    public: str = EMPTY
    unsafe: str = EMPTY
    private: str | None = EMPTY
    version: int = 0


@dataclass(frozen=True, slots=True)
class Metadata:
    """The three bags: who may is the caller's to check, what may be is checked here."""

    config: sections.UserMetadata
    templates: ClaimTemplates
    audit: AuditLog

    async def of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Bags]:
        """Read the public and unsafe bags of some users, in one statement."""
        if not user_ids:
            return {}
        rows = await fetch(_OF, [*user_ids])
        return {row["user_id"]: _bags(row) for row in rows}

    async def private_of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Read the private bags of some users, in one statement."""
        if not user_ids:
            return {}
        rows = await fetch(_PRIVATE_OF, [*user_ids])
        return {row["user_id"]: row["private_bag"] for row in rows}

    async def seed(self, user_id: UUID, changes: BagChanges) -> Bags:
        """Give a new user its bags.

        Raises:
            MetadataRefused: A bag may not hold this.
        """
        none = Bags(user_id)
        bags = self._changed(none, changes, Mode.MERGE)
        await self._refuse_excess(none, bags)
        await fetch(_INSERT, bags.user_id, bags.public, bags.private, bags.unsafe, bags.version)
        return bags

    async def change(
        self,
        actor: Actor,
        user_id: UUID,
        changes: BagChanges,
        *,
        mode: Mode = Mode.MERGE,
        if_version: int | None = None,
    ) -> Bags:
        """Change some of a user's bags, all of them or none.

        Args:
            actor: On whose behalf; the audit record names it.
            user_id: Whose bags.
            changes: A bag left out stays; null clears that bag alone.
            mode: Whether an object is merged (RFC 7396) or takes the bag's place.
            if_version: Refuse unless the bags are at this version.

        Raises:
            NotFound: There is no such user.
            MetadataVersionConflict: The bags are at another version.
            MetadataRefused: A bag may not hold the outcome.
        """
        async with transaction():
            before = await self._locked(user_id)
            if if_version is not None and if_version != before.version:
                raise MetadataVersionConflict(before.version, _first(changes))
            after = self._changed(before, changes, mode)
            if after is not before:
                await self._refuse_excess(before, after)
                await fetch(
                    _SAVE, user_id, after.public, after.private, after.unsafe, after.version
                )
            await self._record(actor, user_id, changes)
        return after

    def _changed(self, before: Bags, changes: BagChanges, mode: Mode) -> Bags:
        """Apply *changes*; the same object comes back where they change nothing."""
        texts: dict[str, str] = {}
        for bag, value in changes.given():
            check(bag, value)
            old = getattr(before, bag.value)
            texts[bag.value] = self._text(bag, old, value, mode)
        if all(getattr(before, name) == text for name, text in texts.items()):
            return before
        return replace(before, **texts, version=before.version + 1)  # type: ignore[arg-type]  # text by text

    async def _refuse_excess(self, before: Bags, after: Bags) -> None:
        """Keep the user's claims within their budget, where the deployment has it so.

        Raises:
            MetadataOverflowsClaims: They would outgrow it.
        """
        shown = (Bag.PUBLIC, Bag.UNSAFE)
        changed = [b for b in shown if getattr(before, b.value) != getattr(after, b.value)]
        if not changed:
            return
        excess = await self.templates.excess(after.user_id, after.public, after.unsafe)
        if excess is not None:
            raise MetadataOverflowsClaims(changed[0], excess.size, excess.limit)

    def _text(self, bag: Bag, old: str, value: strictjson.Json, mode: Mode) -> str:
        if value is None:
            return EMPTY
        if mode is Mode.MERGE:
            value = merge_patch(strictjson.parse(old.encode()), value)
        return compact(bag, value, self._limit(bag))

    def _limit(self, bag: Bag) -> BagLimit:
        limit: BagLimit = getattr(self.config.caps(), bag.value)
        return limit

    async def _locked(self, user_id: UUID) -> Bags:
        rows = await fetch(_LOCK, user_id)
        if not rows:
            raise NotFound("There is no such user.", path=("user_id",))
        return _bags(rows[0])

    async def _record(self, actor: Actor, user_id: UUID, changes: BagChanges) -> None:
        """Name the keys that were written, never a value; of the private bag not even those."""
        keys = {
            bag.field: sorted(value) if isinstance(value, dict) else None
            for bag, value in changes.given()
            if bag is not Bag.PRIVATE
        }
        details = {"bags": [bag.value for bag, _ in changes.given()], "keys": keys}
        await self.audit.record("metadata_updated", actor, subject=user_id, details=details)


def _first(changes: BagChanges) -> Bag:
    return next((bag for bag, _ in changes.given()), Bag.PUBLIC)


def _bags(row: Row) -> Bags:
    return Bags(
        user_id=row["user_id"],
        public=row["public_bag"],
        unsafe=row["unsafe_bag"],
        private=row.get("private_bag"),
        version=row["version"],
    )
