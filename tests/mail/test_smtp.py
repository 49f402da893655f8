"""Delivery to a real SMTP server, well behaved and not."""

import logging
from datetime import timedelta

import pytest
from mail.servers import PASSWORD, USER, authority, free_port

from app.config import Secret
from app.mail import MailServerRefused
from app.persistence import fetch

TO = "ada@example.com"
CODE = "731964"


async def queue(services, to=TO, **given):
    """Queue a sign-in code."""
    ends = services.clock() + timedelta(minutes=5)
    given = {"values": {"code": CODE}, "expires_at": ends} | given
    return await services.mail.send("login", to, **given)


async def row():
    (only,) = await fetch("SELECT * FROM mail_outbox")
    return only


class TestDelivery:
    async def test_a_mail_arrives_whole_through_starttls(self, smtp, delivering):
        server = await smtp()
        services = await delivering(server, tls="starttls")
        mail_id = await queue(services)
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("sent", "250 2.0.0")
        (mail,) = server.mails
        assert mail.secure
        assert (mail.sender, mail.recipients) == ("noreply@id.example", (TO,))
        message = mail.message
        assert message["From"].addresses[0].display_name == "Käse, Inc."
        assert message["To"] == TO
        assert message["Subject"] == f"{CODE} is your sign-in code for Sekisho"
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"] == f"<{mail_id}@id.example>"
        assert abs(message["Date"].datetime - services.clock()) < timedelta(seconds=1)
        assert message.get_content_type() == "multipart/alternative"
        kinds = [part.get_content_type() for part in message.iter_parts()]
        assert kinds == ["text/plain", "text/html"]
        assert f"\n{CODE}\n" in mail.text.replace("\r", "")
        assert f'<p class="code">{CODE}</p>' in mail.html
        assert "5 min" in mail.text

    async def test_a_mail_arrives_through_implicit_tls(self, smtp, delivering):
        server = await smtp(tls="implicit")
        services = await delivering(server, tls="implicit")
        await queue(services)
        assert (await services.mail.deliver_next()).kind == "sent"
        assert server.mails[0].secure

    async def test_the_server_learns_who_we_are(self, smtp, delivering):
        server = await smtp(auth=True)
        login = {"user": USER, "password": Secret(PASSWORD)}
        services = await delivering(server, tls="starttls", **login)
        await queue(services)
        assert (await services.mail.deliver_next()).kind == "sent"
        assert server.mails[0].user == USER

    async def test_every_language_arrives_in_its_own_letters(self, smtp, delivering):
        server = await smtp()
        services = await delivering(server, tls="starttls")
        for language in services.mail.templates.languages:
            await queue(services, language=language)
            assert (await services.mail.deliver_next()).kind == "sent"
        said = {mail.message["Content-Language"]: mail for mail in server.mails}
        assert set(said) == set(services.mail.templates.languages)
        assert "登录验证码" in said["zh-CN"].message["Subject"]
        assert "সাইন-ইন" in said["bn"].message["Subject"]
        for mail in server.mails:
            assert mail.raw.isascii(), "a server without 8BITMIME would alter it"


class TestProtection:
    async def test_a_server_without_starttls_gets_nothing(self, smtp, delivering):
        server = await smtp(tls="none")
        login = {"user": USER, "password": Secret(PASSWORD)}
        services = await delivering(server, tls="starttls", **login)
        await queue(services)
        outcome = await services.mail.deliver_next()
        assert outcome.kind == "unreachable"
        assert "STARTTLS" in outcome.words
        assert server.commands == []
        assert (await row())["state"] == "waiting"

    async def test_a_certificate_nobody_vouches_for_is_refused(self, smtp, delivering, tmp_path):
        for tls in ("starttls", "implicit"):
            server = await smtp(tls=tls)
            other = authority(tmp_path).file
            services = await delivering(server, tls=tls, ca_file=str(other))
            assert (await services.mail.test(TO)).kind == "unreachable"
            assert server.commands == []

    async def test_a_certificate_of_another_host_is_refused(self, smtp, delivering, trusted):
        server = await smtp()
        services = await delivering(server, tls="starttls", host="127.0.0.2")
        assert (await services.mail.test(TO)).kind == "unreachable"

    async def test_a_wrong_password_holds_the_mail_back(self, smtp, delivering):
        server = await smtp(auth=True)
        services = await delivering(
            server, tls="starttls", user=USER, password=Secret("a-wrong-password")
        )
        await queue(services)
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("unreachable", "535 5.7.8")
        assert ((await row())["state"], (await row())["attempts"]) == ("waiting", 0)

    async def test_this_machine_itself_may_be_spoken_to_in_the_clear(self, smtp, delivering):
        server = await smtp(tls="none")
        services = await delivering(server)
        await queue(services)
        assert (await services.mail.deliver_next()).kind == "sent"
        assert not server.mails[0].secure


class TestRefusals:
    @pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
    async def test_a_refusal_for_good_is_not_tried_again(self, smtp, delivering, clock, command):
        server = await smtp(replies={command: "550 5.1.1 no such mailbox"})
        services = await delivering(server, tls="starttls")
        await queue(services)
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("refused", "550 5.1.1")
        found = await row()
        assert (found["state"], found["answer"]) == ("failed", "550 5.1.1")
        assert found["sealed_values"] is None
        clock.advance(hours=1)
        assert await services.mail.deliver_next() is None

    @pytest.mark.parametrize(("command", "seconds"), [("MAIL", 6), ("RCPT", 36), ("DATA", 6)])
    async def test_a_refusal_for_now_is_tried_again_later(
        self, smtp, delivering, clock, command, seconds
    ):
        server = await smtp(replies={command: "451 4.7.1 come back later"})
        services = await delivering(server, tls="starttls")
        await queue(services)
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("deferred", "451 4.7.1")
        assert await services.mail.deliver_next() is None, "not at once"
        server.replies.clear()
        clock.advance(seconds=seconds)
        assert (await services.mail.deliver_next()).kind == "sent"
        assert len(server.mails) == 1

    @pytest.mark.parametrize("minutes", [1, 4, 240])
    async def test_what_was_refused_for_now_leaves_within_a_minute_of_the_servers_return_sec_132(
        self, smtp, delivering, clock, minutes
    ):
        """However long it was refused; a code in the five minutes that it lives."""
        server = await smtp(replies={"MAIL": "451 4.3.0 try again later"})
        services = await delivering(server, tls="starttls")
        await services.mail.send("passkey_create", TO)
        start = clock.now
        while clock.now - start < timedelta(minutes=min(minutes, 30)):
            outcome = await services.mail.deliver_next()
            assert outcome is None or outcome.kind == "deferred"
            clock.advance(seconds=10)
        clock.now = start + timedelta(minutes=minutes)
        if minutes < 5:
            await queue(services)
        await services.mail.deliver_next()
        server.replies.clear()
        clock.advance(seconds=58)
        while await services.mail.deliver_next():
            continue
        assert {mail.recipients[0] for mail in server.mails} == {TO}
        assert await fetch("SELECT id FROM mail_outbox WHERE state <> 'sent'") == []

    @pytest.mark.parametrize("fault", [{"drops": "DATA"}, {"replies": {"RCPT": "450 4.2.2 full"}}])
    async def test_there_is_a_last_attempt_at_what_may_have_arrived_or_has_no_recipient(
        self, smtp, delivering, clock, fault
    ):
        """Mail to those who take none would keep fresh codes waiting for ever (SEC-126)."""
        server = await smtp(**fault)
        services = await delivering(server, tls="starttls")
        await services.mail.send("passkey_create", TO)
        attempts = 0
        while (await row())["state"] == "waiting":
            attempts += (await services.mail.deliver_next()) is not None
            clock.advance(minutes=1)
        assert attempts == 8
        assert (await row())["state"] == "failed"

    @pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
    async def test_a_lost_connection_is_tried_again(self, smtp, delivering, clock, command):
        server = await smtp(drops=command)
        services = await delivering(server, tls="starttls")
        await queue(services)
        assert (await services.mail.deliver_next()).kind in {"deferred", "unreachable"}
        server.drops = ""
        clock.advance(seconds=40)
        assert (await services.mail.deliver_next()).kind == "sent"
        assert len(server.mails) == 1

    async def test_a_server_that_closes_says_nothing_of_the_mail(self, smtp, delivering):
        server = await smtp(replies={"MAIL": "421 4.3.2 shutting down"})
        services = await delivering(server, tls="starttls")
        await queue(services)
        assert (await services.mail.deliver_next()).kind == "unreachable"
        assert (await row())["attempts"] == 0

    async def test_a_server_that_does_not_answer_is_left(self, smtp, delivering):
        server = await smtp(waits="DATA")
        services = await delivering(server, tls="starttls", timeout=timedelta(seconds=0.3))
        await queue(services)
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("deferred", "timeout")

    async def test_a_mail_takes_no_longer_than_it_may(self, smtp, delivering, monkeypatch):
        monkeypatch.setattr("app.mail.smtp.WHOLE", 0.5)
        server = await smtp(waits="RCPT")
        services = await delivering(server, tls="starttls")
        await queue(services)
        assert (await services.mail.deliver_next()).answer == "timeout"

    async def test_nobody_listening_holds_the_mail_back(self, delivering):
        services = await delivering(free_port())
        await queue(services)
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("unreachable", "ConnectionRefusedError")
        assert (await row())["attempts"] == 0


class TestAddresses:
    async def test_a_domain_beyond_ascii_is_written_in_ascii(self, smtp, delivering):
        server = await smtp(utf8=False)
        services = await delivering(server, tls="starttls")
        await queue(services, "ada@münchen.example")
        assert (await services.mail.deliver_next()).kind == "sent"
        assert server.mails[0].recipients == ("ada@xn--mnchen-3ya.example",)

    async def test_a_name_beyond_ascii_needs_smtputf8(self, smtp, delivering):
        server = await smtp(utf8=True)
        services = await delivering(server, tls="starttls")
        await queue(services, "ж@example.com")
        assert (await services.mail.deliver_next()).kind == "sent"
        (mail,) = server.mails
        assert mail.recipients == ("ж@example.com",)
        assert "SMTPUTF8" in mail.options

    async def test_a_name_beyond_ascii_is_refused_by_a_server_without_it(self, smtp, delivering):
        server = await smtp(utf8=False)
        services = await delivering(server, tls="starttls")
        await queue(services, "ж@example.com")
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("refused", "no SMTPUTF8")
        assert server.commands == []


class TestLogs:
    async def test_no_line_holds_a_code_or_an_address_sec_043_116(
        self, smtp, delivering, caplog, clock
    ):
        said = f"550 5.7.1 spam: {CODE} is your sign-in code, {TO}"
        server = await smtp(replies={"DATA": said})
        services = await delivering(server, tls="starttls")
        with caplog.at_level(logging.DEBUG):
            await queue(services)
            outcome = await services.mail.deliver_next()
        assert CODE in outcome.words
        lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
        ours = [line for line in lines if "sekisho" in line]
        assert any("550 5.7.1" in line for line in ours)
        assert [line for line in lines if CODE in line or TO in line] == []
        assert CODE not in str(dict(await row()))
        audit = await fetch("SELECT * FROM audit_event")
        assert CODE not in str([dict(one) for one in audit])


async def test_a_file_without_certificates_is_refused(delivering, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for file in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        with pytest.raises(MailServerRefused):
            await delivering(25, ca_file=str(file))
