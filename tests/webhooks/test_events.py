"""Events for webhooks: each is written with what it tells of, by its name, and tells no secret."""

import json
from datetime import timedelta

import msgspec
import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from factories import make_session, make_user, reconfigured, session_actor
from hypothesis import given
from hypothesis import strategies as st

from app import upkeep
from app.access import SYSTEM, Actor, Origin
from app.config.sections import EmailDelivery
from app.config.values import Duration
from app.credentials.passwords import PreparedPassword
from app.credentials.totp import Accepted
from app.keys import KeysUnreadable
from app.metadata import BagChanges
from app.persistence import fetch, transaction
from app.selfservice import Oneself
from app.sessions import SignIn
from app.users import EmailTaken, NewEmail, NewUser, ProfileChanges
from app.webhooks import EVENTS

PAGE = [
    "user",
    "user.create",
    "user.delete",
    "user.login",
    "user.update",
    "user.update.email",
    "user.update.email.create",
    "user.update.email.primary",
    "user.update.email.delete",
    "user.update.username",
    "user.update.username.create",
    "user.update.username.update",
    "user.update.username.delete",
    "user.update.password.update",
    "email.send",
    "session",
    "session.create",
    "session.create.flow",
    "session.create.admin",
    "session.delete",
    "session.delete.explicit",
    "session.delete.explicit.logout",
    "session.delete.explicit.revoke",
    "session.delete.admin",
    "session.delete.admin.revoke",
    "session.delete.passive",
    "session.delete.passive.expire",
    "session.delete.passive.limit",
]
"""What can be subscribed to: a name stands for all that begin with it."""

ORIGIN = Origin("request-1", "192.0.2.7", "Browser/1.0")
CODE = {"code": "483921"}
BROWSER = Actor(origin=ORIGIN)
MADE = PreparedPassword("$argon2id$sentinelhash", imported=False)


async def events(services, prefix=""):
    """The events that wait, oldest first: their names, whose they are, and what they tell."""
    rows = await fetch("SELECT id, name, user_id, sealed_data FROM webhook_event ORDER BY sequence")
    sealer = services.events.sealer
    return [
        (
            row["name"],
            row["user_id"],
            json.loads(sealer.open(row["sealed_data"], f"webhook_event:{row['id']}")),
        )
        for row in rows
        if row["name"].startswith(prefix)
    ]


async def names(services, prefix="user"):
    return [name for name, _, _ in await events(services, prefix)]


async def forget():
    await fetch("DELETE FROM webhook_event")


@pytest.fixture
async def ada(services):
    user = await make_user(services, email="ada@example.com", private={"sentinelkey": 1})
    await forget()
    return user


def test_every_name_is_one_of_the_page():
    assert len(PAGE) == len(set(PAGE)) == 28
    assert set(EVENTS) < set(PAGE)


class TestUsers:
    """What happens to users, whoever causes it."""

    async def test_a_new_user_is_told_of_with_all_that_belongs_to_the_account(self, services):
        new = NewUser(
            emails=(NewEmail("ada@example.com", is_primary=True, is_verified=True),),
            profile=ProfileChanges("ada_l", "Ada L", "Ada", "L", "https://example.com/a.png"),
            bags=BagChanges({"plan": "pro", "n": 1.10}, {"sentinelkey": "x"}, {"theme": "dark"}),
        )
        account, _ = await services.passwords.create_user(
            BROWSER, new, password="correct horse battery staple"
        )
        ((name, user_id, told),) = await events(services)
        assert (name, user_id) == ("user.create", account.id)
        made = told["created_at"]
        assert made.endswith("Z")
        (email,) = told["emails"]
        assert email.pop("id")
        at = {"created_at": made, "updated_at": made}
        assert email == {
            "address": "ada@example.com",
            "is_primary": True,
            "is_verified": True,
            **at,
        }
        assert told.pop("password").keys() == {"id", "created_at", "updated_at"}
        del told["emails"]
        assert told == {
            "id": str(account.id),
            **at,
            "username": {"username": "ada_l", "id": str(account.id), **at},
            "name": "Ada L",
            "given_name": "Ada",
            "family_name": "L",
            "picture": "https://example.com/a.png",
            "metadata": {
                "public_metadata": {"plan": "pro", "n": 1.1},
                "unsafe_metadata": {"theme": "dark"},
            },
            "ip_address": "192.0.2.7",
            "user_agent": "Browser/1.0",
        }

    async def test_what_is_empty_is_left_out(self, services):
        user = await make_user(services)
        ((_, _, told),) = await events(services)
        assert told.keys() == {"id", "created_at", "updated_at", "emails"}
        assert told["id"] == str(user.id)

    async def test_credentials_are_told_of_without_what_proves_them(self, services, ada):
        """SEC-112: no hash, no secret, no key."""
        await services.passwords.store(SYSTEM, ada.id, MADE, "admin")
        await services.totp.store(SYSTEM, ada.id, "SENTINELSECRET", Accepted(1))
        passkey = await passkey_of(services, ada.id, Authenticator())
        await services.users.update(SYSTEM, ada.id, ProfileChanges(username="ada_l"))
        ((_, _, told),) = await events(services)
        (shown,) = told["webauthn_credentials"]
        assert shown.pop("created_at") and shown.pop("last_used_at")
        assert shown.pop("name", "")
        assert shown == {
            "id": passkey.credential_id,
            "attestation_type": "none",
            "aaguid": str(passkey.aaguid),
            "transports": list(passkey.transports),
            "backup_eligible": passkey.is_backup_eligible,
            "backup_state": passkey.is_backed_up,
            "mfa_only": False,
        }
        assert told["otp"].keys() == {"id", "created_at", "updated_at"}
        assert "sentinel" not in json.dumps(told).lower()

    async def test_each_change_of_an_address_has_its_name(self, services, ada):
        users = services.users
        new = NewEmail("b@example.com", is_verified=True)
        added = await users.add_email(SYSTEM, ada.id, new)
        await users.set_primary_email(SYSTEM, ada.id, added.id)
        await users.set_primary_email(SYSTEM, ada.id, added.id)
        first = (await users.emails_of([ada.id]))[ada.id][0]
        await users.delete_email(SYSTEM, ada.id, first.id)
        assert await names(services) == [
            "user.update.email.create",
            "user.update.email.primary",
            "user.update.email.delete",
        ]
        told = [data["emails"] for _, _, data in await events(services, "user")]
        assert [[one["address"] for one in emails] for emails in told] == [
            ["ada@example.com", "b@example.com"],
            ["ada@example.com", "b@example.com"],
            ["b@example.com"],
        ]

    async def test_each_change_of_a_user_name_has_its_name(self, services, ada):
        for username in ("ada_l", "ada_l", "ada_k", None, None):
            changes = ProfileChanges(username=username)
            await services.users.update(SYSTEM, ada.id, changes)
        assert await names(services) == [
            "user.update.username.create",
            "user.update.username.update",
            "user.update.username.delete",
        ]

    async def test_other_changes_of_a_profile_and_its_metadata_are_no_events(self, services, ada):
        await services.users.update(SYSTEM, ada.id, ProfileChanges(name="Ada"))
        await services.metadata.change(SYSTEM, ada.id, BagChanges(public={"a": 1}))
        assert await events(services) == []

    async def test_a_password_is_told_of_when_its_user_changes_it(self, services, ada):
        """Neither the first one, nor one that a backend sets or deletes."""
        me = Oneself(session_actor(await make_session(services, ada)))
        await forget()
        await services.own_credentials.store_password(me, MADE)
        assert await names(services) == []
        await services.own_credentials.store_password(me, MADE)
        await services.own_credentials.recover_password(Oneself(BROWSER, signing_in=ada.id), MADE)
        await services.passwords.store(SYSTEM, ada.id, MADE, "admin")
        await services.passwords.delete(SYSTEM, ada.id)
        assert await names(services) == ["user.update.password.update"] * 2

    async def test_a_deleted_user_is_shown_as_they_were(self, services, ada):
        await services.users.delete(SYSTEM, ada.id)
        ((name, user_id, told),) = await events(services)
        assert (name, user_id, told["id"]) == ("user.delete", ada.id, str(ada.id))
        assert told["emails"][0]["address"] == "ada@example.com"

    async def test_the_event_of_nobody_is_not_written(self, services, ada):
        await services.users.delete(SYSTEM, ada.id)
        await forget()
        await services.events.record_user("user.login", SYSTEM, ada.id)
        assert await events(services) == []


class TestTogether:
    """An event stands or falls with what it tells of."""

    async def test_what_is_undone_is_told_to_nobody(self, services, ada):
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await services.users.add_email(SYSTEM, ada.id, NewEmail("b@example.com"))
                await services.users.delete(SYSTEM, ada.id)
                _ = 1 / 0
        assert await events(services) == []

    async def test_what_is_refused_is_told_to_nobody(self, services, ada):
        await make_user(services, email="eve@example.com")
        await forget()
        with pytest.raises(EmailTaken):
            await services.users.add_email(SYSTEM, ada.id, NewEmail("eve@example.com"))
        assert await events(services) == []

    async def test_events_are_in_the_order_of_what_happened(self, services, ada):
        for n in range(5):
            await services.users.update(SYSTEM, ada.id, ProfileChanges(username=f"name_{n}"))
        told = [data["username"]["username"] for _, _, data in await events(services)]
        assert told == [f"name_{n}" for n in range(5)]


class TestSecrets:
    """What an event never tells."""

    @given(
        st.dictionaries(st.text(st.characters(codec="ascii"), min_size=9), st.text(), max_size=3)
    )
    async def test_no_event_knows_of_the_private_bag(self, services, bag):
        """SEC-112"""
        await forget()
        sentinels = {f"sentinel{n}": {"in": ["sentinelvalue"]} for n in range(len(bag) + 1)}
        private = {**{f"sentinel{key}"[:40].replace("\0", ""): "v" for key in bag}, **sentinels}
        user = await make_user(services, private=private)
        await services.users.update(
            SYSTEM, user.id, ProfileChanges(username=f"u{user.id.hex[:20]}")
        )
        await services.users.delete(SYSTEM, user.id)
        told = await events(services)
        assert len(told) == 3
        assert "sentinel" not in json.dumps([data for _, _, data in told])

    async def test_who_reads_the_database_reads_no_event(self, services, ada):
        """SEC-119"""
        await services.users.update(SYSTEM, ada.id, ProfileChanges(username="sentinelname"))
        (row,) = await fetch("SELECT * FROM webhook_event")
        assert "ada@example.com" not in str(dict(row))
        assert "sentinelname" not in str(dict(row))

    async def test_what_is_sealed_for_one_event_opens_for_no_other(self, services, ada):
        """SEC-119"""
        await services.users.update(SYSTEM, ada.id, ProfileChanges(username="ada_l"))
        (row,) = await fetch("SELECT id, sealed_data FROM webhook_event")
        with pytest.raises(KeysUnreadable):
            services.events.sealer.open(row["sealed_data"], f"webhook_event:{ada.id}")


class TestMails:
    """`email.send`: each mail to a user."""

    async def told(self, services, template, values=None, **given):
        await services.mail.send(template, "ada@example.com", "de", values, **given)
        ((name, user_id, told),) = await events(services, "email")
        assert (name, user_id) == ("email.send", None)
        return told

    async def test_a_code_that_we_mail_is_in_no_event(self, services, clock):
        """SEC-043, SEC-112."""
        ends = clock.now + timedelta(minutes=5)
        told = await self.told(services, "login", CODE, expires_at=ends)
        assert told == {
            "to_email_address": "ada@example.com",
            "delivered_by_hanko": True,
            "accept_language": "de",
            "language": "de",
            "type": "login",
            "data": {
                "service_name": services.config.service.name,
                "ttl": 300,
                "valid_until": int(ends.timestamp()),
            },
        }

    async def test_who_is_to_send_the_mail_gets_all_of_it(self, services, clock):
        """SEC-043: where delivery is switched off, somebody else does it."""
        others = await reconfigured(services, email_delivery=EmailDelivery(enabled=False))
        ends = clock.now + timedelta(minutes=5)
        told = await self.told(others, "recovery", CODE, expires_at=ends)
        assert told["delivered_by_hanko"] is False
        assert told["data"]["otp_code"] == "483921"
        assert "483921" in told["subject"]
        assert "483921" in told["body_plain"]
        assert "483921" in told["body"]
        assert await fetch("SELECT id FROM mail_outbox") == []

    async def test_an_attempt_names_the_service_alone(self, services):
        told = await self.told(services, "email_login_attempted")
        assert told["type"] == "email_login_attempted"
        assert told["data"] == {"service_name": services.config.service.name}
        assert told["subject"]

    @pytest.mark.parametrize(
        ("template", "values", "names"),
        [
            ("password_update", {}, {}),
            ("passkey_delete", {}, {}),
            ("username_update", {"new_username": "ada_l"}, {"new_username": "ada_l"}),
            ("email_create", {"new_address": "b@c.de"}, {"new_email_address": "b@c.de"}),
            ("email_delete", {"deleted_address": "b@c.de"}, {"deleted_email_address": "b@c.de"}),
            (
                "primary_email_update",
                {"old_address": "a@c.de", "new_address": "b@c.de"},
                {"old_email_address": "a@c.de", "new_email_address": "b@c.de"},
            ),
        ],
    )
    async def test_a_notice_says_what_it_names(self, services, template, values, names):
        told = await self.told(services, template, values)
        assert told["type"] == "security_notification"
        service = services.config.service.name
        assert told["data"] == {"template": template, "service_name": service, **names}
        assert told["body_plain"]
        assert told["body"].startswith("<!doctype html>")

    async def test_a_mail_that_is_undone_is_told_to_nobody(self, services):
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await services.mail.send("password_update", "ada@example.com")
                _ = 1 / 0
        assert await events(services) == []


class TestAge:
    """Events are kept for three days."""

    async def test_what_has_waited_too_long_is_deleted(self, services, ada, clock):
        await services.users.update(SYSTEM, ada.id, ProfileChanges(username="old"))
        clock.advance(days=2, hours=23, minutes=59)
        await services.users.update(SYSTEM, ada.id, ProfileChanges(username="new"))
        await services.events.sweep()
        assert len(await events(services)) == 2
        clock.advance(minutes=1)
        await services.events.sweep()
        assert await names(services) == ["user.update.username.update"]

    async def test_however_many_there_are_all_are_deleted(self, services, clock):
        async with transaction():
            for _ in range(501):
                await services.events.record("user.login", {})
        clock.advance(days=3)
        await services.events.record("user.login", {})
        await services.events.sweep()
        assert len(await fetch("SELECT id FROM webhook_event")) == 1


class TestSessions:
    """Sessions that begin and end."""

    @pytest.fixture
    async def of(self, services):
        """Services that allow two sessions for each user."""
        rules = msgspec.structs.replace(services.config.session, limit=2)
        return await reconfigured(services, session=rules)

    async def test_a_session_is_told_of_by_its_row(self, services, ada):
        """SEC-112: without its token."""
        issued = await services.sessions.issue(
            SYSTEM, ada.id, ORIGIN, SignIn(("pwd",), remember=True, replacing=None)
        )
        ((name, user_id, told),) = await events(services, "session")
        assert (name, user_id) == ("session.create.flow", ada.id)
        assert told["id"] == str(issued.session.id)
        assert told["user_id"] == str(ada.id)
        assert told.keys() == {
            *("id", "user_id", "user_agent", "ip_address"),
            *("created_at", "updated_at", "expires_at", "last_used"),
        }
        assert issued.token not in json.dumps(told)

    async def test_the_name_says_how_it_begins_and_ends(self, of, ada):
        first = await make_session(of, ada)
        second, third = await make_session(of, ada), await make_session(of, ada)
        me = session_actor(third)
        end = of.sessions.end
        await end(me, ada.id, second.session.id, "session_revoked")
        await end(me, ada.id, third.session.id, "user_logged_out")
        fourth = await make_session(of, ada)
        await end(SYSTEM, ada.id, fourth.session.id, "session_revoked")
        fifth = await make_session(of, ada)
        await of.sessions.end_all(SYSTEM, ada.id)
        told = [(name, data["id"]) for name, _, data in await events(of, "session.delete")]
        assert told == [
            ("session.delete.passive.limit", str(first.session.id)),
            ("session.delete.explicit.revoke", str(second.session.id)),
            ("session.delete.explicit.logout", str(third.session.id)),
            ("session.delete.admin.revoke", str(fourth.session.id)),
            ("session.delete.admin.revoke", str(fifth.session.id)),
        ]
        assert await names(of, "session.create") == ["session.create.admin"] * 5

    async def test_who_recovers_an_account_is_no_administrator(self, of, ada):
        await make_session(of, ada)
        await of.sessions.end_all(BROWSER, ada.id)
        assert await names(of, "session.delete") == ["session.delete.explicit.revoke"]

    async def test_a_session_that_nobody_used_is_told_of_when_it_is_removed(
        self, services, ada, clock
    ):
        """In the transaction that removes it, once, whoever sweeps."""
        rules = msgspec.structs.replace(services.config.session, idle_timeout=Duration(hours=1))
        idle = await reconfigured(services, session=rules)
        first = await make_session(idle, ada)
        clock.advance(minutes=30)
        second = await make_session(idle, ada)
        clock.advance(minutes=35)
        await services.sessions.sweep_idle()
        await idle.sessions.sweep_idle()
        assert await names(idle, "session.delete") == [], "a clock may be slow"
        assert await idle.sessions.authenticate(first.token) == "expired"
        assert not isinstance(await idle.sessions.authenticate(second.token), str)
        clock.advance(seconds=1)
        await upkeep.sweep(idle)
        await upkeep.sweep(idle)
        ((name, user_id, told),) = await events(idle, "session.delete")
        assert (name, user_id) == ("session.delete.passive.expire", ada.id)
        assert told["id"] == str(first.session.id)
        assert [row["id"] for row in await fetch("SELECT id FROM user_session")] == [
            second.session.id
        ]

    async def test_however_many_nobody_used_each_is_told_of(
        self, services, ada, clock, monkeypatch
    ):
        monkeypatch.setattr("app.sessions.service._SWEPT_AT_ONCE", 2)
        rules = msgspec.structs.replace(services.config.session, idle_timeout=Duration(hours=1))
        idle = await reconfigured(services, session=rules)
        for _ in range(5):
            await make_session(idle, ada)
        clock.advance(hours=2)
        (left,) = [one for one in upkeep.leftovers(idle) if one.name == "idle_sessions"]
        assert await upkeep.clean(idle, left, run=True) == upkeep.Removed("idle_sessions", 5, 5)
        assert await names(idle, "session.delete") == ["session.delete.passive.expire"] * 5
        (never,) = [one for one in upkeep.leftovers(services) if one.name == "idle_sessions"]
        assert never.kept is None

    async def test_one_that_nobody_used_was_not_pushed_out(self, services, ada, clock):
        rules = msgspec.structs.replace(
            services.config.session, limit=1, idle_timeout=Duration(hours=1)
        )
        idle = await reconfigured(services, session=rules)
        await make_session(idle, ada)
        clock.advance(hours=2)
        await make_session(idle, ada)
        await make_session(idle, ada)
        assert await names(idle, "session.delete") == [
            "session.delete.passive.expire",
            "session.delete.passive.limit",
        ]

    async def test_a_session_that_had_run_out_is_told_to_nobody(self, of, ada, clock):
        await make_session(of, ada)
        clock.advance(days=30)
        await make_session(of, ada)
        assert await names(of, "session.delete") == []
