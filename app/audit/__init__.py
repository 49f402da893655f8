"""What happened, to whom, from where."""

from app.audit.errors import AuditFilterRefused
from app.audit.reading import AuditFilter, AuditReader, AuditRecord
from app.audit.service import AuditLog, Event, mask

__all__ = [
    "AuditFilter",
    "AuditFilterRefused",
    "AuditLog",
    "AuditReader",
    "AuditRecord",
    "Event",
    "mask",
]
