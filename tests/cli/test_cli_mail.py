"""`sekisho mail test`: what the server said, told to the operator."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from mail.servers import PASSWORD, USER, Authority, Server, authority, free_port

TO = "ada@example.com"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def migrated(sekisho):
    sekisho("migrate", "up")


@contextmanager
def serving(trusted: Authority, **behaviour: object) -> Iterator[Server]:
    """Run an SMTP server beside the command, which has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(
            Server.started(trusted, **behaviour), loop
        ).result(20)
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def leading_to(server: Server, trusted: Authority) -> dict[str, str]:
    given = {"host": "localhost", "port": server.port, "tls": "starttls", "ca_file": trusted.file}
    return {f"EMAIL_DELIVERY_SMTP_{name.upper()}": str(value) for name, value in given.items()}


def test_a_message_is_sent_and_the_reply_shown(sekisho, trusted):
    with serving(trusted, auth=True) as server:
        login = {"EMAIL_DELIVERY_SMTP_USER": USER, "EMAIL_DELIVERY_SMTP_PASSWORD": PASSWORD}
        outcome = sekisho("mail", "test", TO, **leading_to(server, trusted), **login)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "sent: 250 2.0.0 queued as 4711\n"
    (mail,) = server.mails
    assert mail.recipients == (TO,)
    assert mail.message["Subject"] == "Test message from Sekisho"


def test_a_language_can_be_chosen(sekisho, trusted):
    with serving(trusted) as server:
        sekisho("mail", "test", TO, "--language", "de-CH", **leading_to(server, trusted))
    assert server.mails[0].message["Subject"] == "Testnachricht von Sekisho"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ("550 5.1.1 no such mailbox", "the server refused the message: 550 5.1.1 no such mailbox"),
        ("421 4.3.2 closing", "the server cannot be used: 421 4.3.2 closing"),
        ("550 \x1b[2Jgone", "the server refused the message: 550  [2Jgone"),
    ],
)
def test_what_the_server_refuses_is_told(sekisho, trusted, reply, sentence):
    with serving(trusted, replies={"RCPT": reply}) as server:
        outcome = sekisho("mail", "test", TO, **leading_to(server, trusted))
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"sekisho: {sentence}\n")


def test_a_message_put_off_stays_for_the_worker(sekisho, trusted, tmp_path):
    with serving(trusted, replies={"RCPT": "451 later"}) as server:
        outcome = sekisho("mail", "test", TO, **leading_to(server, trusted))
    assert "for now; the worker tries again: 451 later" in outcome.err
    with sqlite3.connect(tmp_path / "data" / "sekisho.sqlite") as connection:
        rows = connection.execute("SELECT state, claim, answer FROM mail_outbox").fetchall()
    connection.close()
    assert rows == [("waiting", None, "451")]


def test_a_server_that_is_not_there_is_told(sekisho):
    port = str(free_port())
    outcome = sekisho(
        "mail", "test", TO, EMAIL_DELIVERY_SMTP_HOST="localhost", EMAIL_DELIVERY_SMTP_PORT=port
    )
    assert outcome.status == 1
    assert outcome.err.startswith("sekisho: the server cannot be used: ConnectionRefusedError")


def test_a_server_without_starttls_gets_no_password(sekisho, trusted):
    with serving(trusted, tls="none") as server:
        login = {"EMAIL_DELIVERY_SMTP_USER": USER, "EMAIL_DELIVERY_SMTP_PASSWORD": PASSWORD}
        outcome = sekisho("mail", "test", TO, **leading_to(server, trusted), **login)
        assert server.commands == []
    assert outcome.status == 1
    assert "STARTTLS" in outcome.err
    assert PASSWORD not in outcome.err


def test_development_keeps_it_in_the_mailbox(sekisho):
    outcome = sekisho("mail", "test", TO)
    assert outcome.out == "sent: kept in the mailbox, at /mailbox of the admin listener\n"


def test_mail_that_is_switched_off_is_told(sekisho):
    outcome = sekisho("mail", "test", TO, EMAIL_DELIVERY_ENABLED="false")
    assert (outcome.status, outcome.err) == (
        1,
        "sekisho: mail is switched off (email_delivery.enabled)\n",
    )


@pytest.mark.parametrize("address", ["ada", "ada@example.com\r\nBcc: eve@example.com"])
def test_what_is_no_address_is_refused_sec_113(sekisho, address):
    outcome = sekisho("mail", "test", address)
    assert (outcome.status, outcome.err) == (1, "sekisho: Mail cannot be sent to this address.\n")


def test_texts_that_cannot_be_used_stop_the_start(sekisho, tmp_path):
    (tmp_path / "en.toml").write_text('[login]\nsubject = "${password}"\n')
    outcome = sekisho("mail", "test", TO, EMAIL_DELIVERY_TEMPLATES_DIR=str(tmp_path))
    assert outcome.status == 1
    assert outcome.err == "sekisho: en, login: there is no value called 'password'.\n"
