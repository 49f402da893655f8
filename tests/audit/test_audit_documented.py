"""docs/audit.md and the code name the same records, and each of them is written somewhere."""

import re
from pathlib import Path
from typing import get_args

import pytest

from app.audit import Event

ROOT = Path(__file__).parents[2]
EVENTS = get_args(Event)
CODE = {
    path: path.read_text()
    for path in (ROOT / "app").rglob("*.py")
    if path != ROOT / "app" / "audit" / "service.py"
}
REFERENCE = {  # those that operations.md says are written
    *("user_created", "user_deleted", "login_success", "login_failure", "user_logged_out"),
    *("email_created", "email_verified", "email_deleted", "primary_email_changed"),
    *("username_changed", "username_deleted", "password_changed", "password_deleted"),
    *("passkey_created", "security_key_created", "passkey_deleted", "otp_created"),
    *("security_notification_sent", "thirdparty_signup_succeeded", "thirdparty_signin_succeeded"),
    *("thirdparty_linking_succeeded", "thirdparty_signin_signup_failed"),
}


def test_the_page_lists_every_type_and_no_other():
    page = (ROOT / "docs" / "audit.md").read_text().partition("\n## Types\n")[2]
    listed = re.findall(r"^\| `([a-z_]+)` \|", page.partition("\n## ")[0], re.MULTILINE)
    assert sorted(listed) == sorted(EVENTS)
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("event", EVENTS)
def test_every_type_is_written_somewhere_sec_118(event):
    assert any(f'"{event}"' in text for text in CODE.values())


def test_the_names_of_the_reference_are_kept():
    assert set(EVENTS) >= REFERENCE


def test_each_thing_that_sec_118_names_has_a_type():
    """SEC-118: success and failure, factor change, link, recovery, limit hit, admin writes."""
    for needed in (
        *("login_success", "login_failure", "otp_created", "otp_deleted", "security_key_deleted"),
        *("thirdparty_linking_succeeded", "identity_deleted", "recovery_code_used"),
        *("rate_limit_exceeded", "session_created", "sessions_revoked", "metadata_updated"),
    ):
        assert needed in EVENTS
