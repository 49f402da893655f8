"""Why the audit log does not answer."""

from app.errors import Invalid


class AuditFilterRefused(Invalid):
    """A part of a filter cannot be asked."""

    code = "audit_filter_refused"
    message = "The filter of the audit log cannot be used."
