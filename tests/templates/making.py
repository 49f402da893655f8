"""Claim templates and subjects as the tests want them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app import strictjson
from app.assembly import Services
from app.audit import AuditLog
from app.claims.check import Cap, Caps
from app.clock import utc_now
from app.config import sections
from app.metadata import Metadata
from app.templates import ClaimTemplates, PrimaryEmail, Subject

CAPS = Caps(Cap(512, "bytes"), Cap(512, "bytes"))
AUDIT = AuditLog(sections.Audit(storage=sections.AuditStorage(enabled=False)), utc_now)

ADA = Subject(
    user_id=UUID("0190c0de-0000-7000-8000-00000000000a"),
    username="ada",
    name="Ada Lovelace",
    given_name="Ada",
    family_name="Lovelace",
    picture="https://example.com/ada.png",
    email=PrimaryEmail("ada@example.com", is_verified=True),
    public='{"plan":"pro","seats":25}',
    unsafe='{"theme":"dark"}',
    metadata_version=3,
)


def configured(claims: dict[str, Any], *, caps: Caps = CAPS, **config: Any) -> ClaimTemplates:
    """Templates over no database, with these claims in the configuration."""
    return ClaimTemplates(sections.JwtTemplate(claims=claims, **config), caps, AUDIT, utc_now)


def stored(claims: Any, subject: Subject = ADA) -> Subject:
    """The subject, with these claims in the database."""
    return replace(subject, template=strictjson.encode(claims))


def with_template(services: Services, *, caps: Caps = CAPS, **config: Any) -> Services:
    """Services over the same database, with another template in the configuration."""
    section = sections.JwtTemplate(**config)
    templates = ClaimTemplates(section, caps, services.audit, services.clock)
    metadata = Metadata(services.config.user_metadata, templates, services.audit)
    users = replace(services.users, metadata=metadata)
    return replace(services, templates=templates, metadata=metadata, users=users)
