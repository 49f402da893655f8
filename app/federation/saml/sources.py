"""Where identity providers' metadata come from: a URL, a file, or the settings themselves.

What a URL gave last is kept in the database. It is asked again after twelve hours, or sooner where
the metadata say so, by one replica at a time. As long as a copy is valid, a provider that does not
answer keeps nobody out.

Whatever they come from, they are used under an entity id that is the provider's own alone.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx2

from app.clock import Clock
from app.config.saml_sections import IdentityProvider
from app.federation.errors import ProviderUnreachable
from app.federation.saml import metadata
from app.federation.saml.entities import EntityIds
from app.federation.saml.errors import SamlMetadataRefused
from app.federation.saml.metadata import Metadata
from app.outbound import Outbound
from app.persistence import Row, fetch, fetch_row

INTERVAL = timedelta(hours=12)
SHORTEST = timedelta(minutes=10)
PAUSE = timedelta(minutes=5)
"""How long nobody asks again after it was in vain; a claim ends by then as well."""

SOON = timedelta(minutes=1)
"""The same while there is no copy, and so nobody can sign in."""

_LONGEST_ETAG = 200
_KNOW = """
INSERT INTO saml_metadata (url, document, etag, refresh_at) VALUES ($1, '', '', $2)
ON CONFLICT (url) DO NOTHING
"""
_CLAIM = """
UPDATE saml_metadata SET refresh_at = $3 WHERE url = $1 AND refresh_at <= $2
RETURNING url, document, etag, fetched_at
"""
_KEEP = """
UPDATE saml_metadata SET document = $2, etag = $3, fetched_at = $4, refresh_at = $5 WHERE url = $1
"""
_CONFIRM = "UPDATE saml_metadata SET fetched_at = $2, refresh_at = $3 WHERE url = $1"
_STATE = "SELECT fetched_at, refresh_at FROM saml_metadata WHERE url = $1"
_DOCUMENT = "SELECT document, fetched_at FROM saml_metadata WHERE url = $1"
_log = logging.getLogger("sekisho.federation.saml")


@dataclass(slots=True)
class Source:
    """One provider's metadata, as this process knows them."""

    settings: IdentityProvider
    entity_ids: EntityIds
    outbound: Outbound
    clock: Clock
    allows_http: bool
    _known: Metadata | None = None
    _version: datetime | float | None = None

    @property
    def known(self) -> Metadata | None:
        """The metadata, None while they were never had or are not valid any more."""
        found = self._known
        return found if found is not None and found.is_valid(self.clock()) else None

    async def load(self) -> None:
        """Take over what is in the file, in the settings, or in the database; no network is used.

        Raises:
            SamlMetadataRefused: The file or the text in the settings cannot be used.
        """
        if self.settings.metadata_url:
            await self._load_copy()
        elif self.settings.metadata_file:
            changed = self._changed(Path(self.settings.metadata_file))
            if changed is not None:
                await self._use(*changed)
        elif self._version is None:
            await self._use(self._read(self.settings.metadata.encode()), 0.0)

    async def refresh(self) -> None:
        """Ask the provider again if it is time; call it outside of transactions."""
        url = self.settings.metadata_url
        if not url:
            return
        now, state = self.clock(), await fetch_row(_STATE, url)
        if state is None:
            await fetch(_KNOW, url, now)
        elif state["refresh_at"] > now:
            return
        pause = SOON if state is None or state["fetched_at"] is None else PAUSE
        claimed = await fetch(_CLAIM, url, now, now + pause)
        if not claimed:
            return
        try:
            await self._fetch(claimed[0])
        except (ProviderUnreachable, SamlMetadataRefused) as error:
            extra = {"provider": self.settings.name, "reason": error.message}
            _log.warning("SAML metadata could not be refreshed", extra=extra)

    async def get_ready(self) -> Metadata:
        """Give the metadata, over the network if need be; call it outside of transactions.

        Raises:
            ProviderUnreachable: They cannot be had now.
        """
        if self.known is None:
            await self.refresh()
            await self.load()
        if self.known is None:
            raise ProviderUnreachable
        return self.known

    async def _load_copy(self) -> None:
        url = self.settings.metadata_url
        state = await fetch_row(_STATE, url)
        if state is None or state["fetched_at"] in (None, self._version):
            return
        row = await fetch_row(_DOCUMENT, url)
        if row is None:
            return
        try:
            found = self._read(row["document"].encode())
        except SamlMetadataRefused as error:  # kept under other settings
            _log.warning("%s", error.message)
            self._version = row["fetched_at"]
        else:
            await self._use(found, row["fetched_at"])

    def _changed(self, path: Path) -> tuple[Metadata, float] | None:
        """Read a file and its version, None where that was used before."""
        try:
            version = path.stat().st_mtime
            if version == self._version:
                return None
            document = path.read_bytes()
        except OSError as error:
            raise self._refused(error.strerror or "it cannot be read") from None
        return self._read(document), version

    async def _use(self, found: Metadata, version: datetime | float) -> None:
        """Go by metadata from now on, unless the entity id is not the provider's own (SEC-092)."""
        try:
            await self._take_name(found)
            self._known = found
        except SamlMetadataRefused as error:
            _log.error("%s", error.message)
        self._version = version

    async def _take_name(self, found: Metadata) -> None:
        objection = await self.entity_ids.take(self.settings, found.entity_id)
        if objection is not None:
            raise self._refused(objection)

    async def _fetch(self, kept: Row) -> None:
        url = self.settings.metadata_url
        headers = {"If-None-Match": kept["etag"]} if kept["etag"] and kept["document"] else {}
        try:
            answer = await self.outbound.client.get(url, headers=headers)
        except httpx2.TransportError:
            raise ProviderUnreachable from None
        now = self.clock()
        if answer.status_code == httpx2.codes.NOT_MODIFIED and headers:
            found = self._read(kept["document"].encode())
            await fetch(_CONFIRM, url, now, now + self._pause(found))
            return
        if answer.status_code != httpx2.codes.OK:
            raise ProviderUnreachable
        found = self._read(answer.content)
        if not found.is_valid(now):
            raise self._refused("it is not valid any more")
        await self._take_name(found)
        etag = answer.headers.get("ETag", "")
        document = answer.content.decode()
        await fetch(_KEEP, url, document, _kept_etag(etag), now, now + self._pause(found))

    def _pause(self, found: Metadata) -> timedelta:
        """Say for how long the provider need not be asked again."""
        pause = min(found.refresh_after or INTERVAL, INTERVAL)
        if found.valid_until is not None:
            pause = min(pause, (found.valid_until - self.clock()) / 2)
        return max(pause, SHORTEST)

    def _read(self, document: bytes) -> Metadata:
        try:
            return metadata.read(document, self.settings.entity_id, allows_http=self.allows_http)
        except SamlMetadataRefused as error:
            raise self._refused(error.message) from None

    def _refused(self, why: str) -> SamlMetadataRefused:
        return SamlMetadataRefused(f"saml.identity_providers '{self.settings.name}': {why}")


def _kept_etag(etag: str) -> str:
    """Give a tag as it may be kept and sent back."""
    is_plain = len(etag) <= _LONGEST_ETAG and etag.isascii() and etag.isprintable()
    return etag if is_plain else ""
