"""Moments and spans as XML Schema writes them. Pure."""

import re
from datetime import UTC, datetime, timedelta

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_SPAN = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,6})D)?"
    r"(?:T(?=\d)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,10})(?:\.\d{1,9})?S)?)?",
    re.ASCII,
)
_DAYS = {"year": 365, "month": 30}


def moment_of(text: str) -> datetime | None:
    """Read a `dateTime`; without a zone it is UTC, as SAML has it (SAML Core §1.3.3)."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    fraction, zone = (found[2] or "0")[:6].ljust(6, "0"), found[3] or "Z"
    try:
        return datetime.fromisoformat(f"{found[1]}.{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def span_of(text: str) -> timedelta | None:
    """Read a `duration` that is not negative; a year has 365 days, a month 30."""
    found = _SPAN.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    years, months, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    whole = years * _DAYS["year"] + months * _DAYS["month"] + days
    return timedelta(days=whole, hours=hours, minutes=minutes, seconds=seconds)


def written(moment: datetime) -> str:
    """Write a moment in UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
