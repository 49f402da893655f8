"""What happened, to whom, from where."""

from app.audit.service import AuditLog, Event

__all__ = ["AuditLog", "Event"]
