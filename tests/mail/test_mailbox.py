"""Development's mailbox page: what was sent, and nobody else's business."""

import re
from datetime import datetime, timedelta

import pytest
from faces.clients import Face, exchange
from factories import reconfigured
from mail.servers import free_port

from app.config import Secret
from app.config.sections import EmailDelivery, PublicListener, Server
from app.keys import encryption_secrets
from app.mail.mailbox import KEPT
from app.persistence import fetch
from app.rest.mailbox import MAIL_POLICY, PAGE_POLICY

JSON = {"accept": "application/json"}
HTML = {"accept": "text/html,application/xhtml+xml,application/json;q=0.5,*/*;q=0.1"}


async def sent(services, to="ada@example.com", code="731964"):
    ends = services.clock() + timedelta(minutes=5)
    await services.mail.send("login", to, "en", {"code": code}, expires_at=ends)
    assert (await services.mail.deliver_next()).kind == "sent"


async def test_the_list_has_the_newest_first(services, admin, clock):
    for n in range(3):
        await sent(services, f"user{n}@example.com", code=f"00000{n}")
        clock.advance(seconds=1)
    answer = await admin.get("/mailbox", headers=JSON)
    assert answer.status_code == 200
    mails = answer.json()
    assert [mail["to"] for mail in mails] == [f"user{n}@example.com" for n in (2, 1, 0)]
    assert set(mails[0]) == {"to", "subject", "text", "html", "sent_at"}
    assert mails[0]["subject"] == "000002 is your sign-in code for Sekisho"
    assert "\n000002\n" in mails[0]["text"]
    assert '<p class="code">000002</p>' in mails[0]["html"]
    assert datetime.fromisoformat(mails[0]["sent_at"]) < clock()


async def test_the_page_shows_the_same_and_loads_nothing(services, admin):
    await sent(services)
    answer = await admin.get("/mailbox", headers=HTML)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert answer.headers["cache-control"] == "no-store"
    page = answer.text
    assert "731964 is your sign-in code for Sekisho" in page
    assert "ada@example.com" in page
    assert "<script" not in page
    assert re.findall(r"(?:https?:)?//[^\s\"']+", page) == []
    (frame,) = re.findall(r'<iframe src="([^"]+)"[^>]* sandbox', page)
    alone = await admin.get(frame)
    assert alone.headers["content-security-policy"] == MAIL_POLICY
    assert '<p class="code">731964</p>' in alone.text


async def test_an_empty_mailbox_says_so(admin):
    assert "No mail yet" in (await admin.get("/mailbox", headers=HTML)).text
    assert (await admin.get("/mailbox", headers=JSON)).json() == []


async def test_whatever_a_mail_holds_the_page_stays_a_page_sec_113(services, admin):
    evil = '</pre><script>alert(1)</script>"><img src=x>'
    values = {"new_address": evil}
    await services.mail.send("email_create", "ada@example.com", "en", values)
    await services.mail.deliver_next()
    page = (await admin.get("/mailbox", headers=HTML)).text
    assert "<script" not in page
    assert "<img" not in page


async def test_no_more_than_the_newest_are_kept(services, clock, admin):
    for n in range(KEPT + 3):
        await sent(services, f"user{n}@example.com")
        clock.advance(seconds=1)
    (row,) = await fetch("SELECT count(*) AS n FROM mailbox_mail")
    assert row["n"] == KEPT
    mails = (await admin.get("/mailbox", headers=JSON)).json()
    assert (mails[0]["to"], mails[-1]["to"]) == (f"user{KEPT + 2}@example.com", "user3@example.com")


async def test_a_mail_that_is_not_there_is_not_found(admin):
    for name in ("x", "00000000-0000-7000-8000-000000000000", "..%2f..", "%00"):
        assert (await admin.get(f"/mailbox/{name}")).status_code == 404


async def test_nobody_reads_it_through_the_public_listener(services, public):
    await sent(services)
    assert (await public.get("/mailbox", headers=JSON)).status_code == 404


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"127.0.0.1.nip.io"])
async def test_a_page_that_rebinds_its_name_reads_nothing_sec_102(services, admin, host):
    await sent(services)
    answer = await exchange(admin, "GET", "/mailbox", host=host)
    assert answer.status == 400
    assert b"731964" not in answer.body


async def test_another_origin_may_not_read_it_sec_108(services, admin):
    await sent(services)
    answer = await admin.get("/mailbox", headers=JSON | {"origin": "http://localhost:8888"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_it_changes_nothing_sec_106(admin):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await admin.call(method, "/mailbox")).status_code in (404, 405)


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_it_is_not_there_in_production_sec_120(services, listener):
    others = await reconfigured(
        services,
        environment="production",
        server=Server(public=PublicListener(url="http://localhost:8000")),
        secret_keys=[Secret(one) for one in encryption_secrets(services.config)],
    )
    face = Face(others, listener)
    assert (await face.get("/mailbox", headers=JSON)).status_code == 404


async def test_it_is_not_there_with_a_server_or_without_mail(services, delivering):
    with_server = await delivering(free_port())
    without = await reconfigured(services, email_delivery=EmailDelivery(enabled=False))
    for others in (with_server, without):
        assert others.mail.mailbox is None
        assert (await Face(others, "admin").get("/mailbox")).status_code == 404
