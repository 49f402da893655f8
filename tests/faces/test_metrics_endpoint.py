"""GET /metrics: on the admin listener alone, by names of ours alone."""

from datetime import timedelta
from uuid import uuid4

from factories import make_session, make_user

from app import gauges
from app.access import SYSTEM
from app.errors import Unavailable
from app.worker import working


async def scraped(admin) -> dict[str, float]:
    answer = await admin.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    pairs = [line.rpartition(" ") for line in answer.text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in pairs}


def requests(found, operation, status=200, listener="public") -> float:
    labels = f'listener="{listener}",operation="{operation}",status="{status}"'
    return found.get(f"sekisho_requests_total{{{labels}}}", 0)


async def test_it_is_not_on_the_public_listener_sec_108(public):
    assert (await public.get("/metrics")).status_code == 404


async def test_an_operation_is_told_by_its_root_field_whatever_it_is_called_sec_126(public, admin):
    before = await scraped(admin)
    for name in ("A", "B", f"C{uuid4().hex}"):
        await public.gql(f"query {name} {{ x: me {{ id }} }}")
    await public.gql("{ me { id } a: me { id } }")
    await public.gql("{ no such thing")
    await public.gql("{ nothing }")
    found = await scraped(admin)
    assert requests(found, "graphql me") - requests(before, "graphql me") == 3
    assert requests(found, "graphql several") - requests(before, "graphql several") == 1
    assert requests(found, "graphql refused") - requests(before, "graphql refused") == 2


async def test_a_path_is_told_by_its_template_sec_116(services, public, admin, key):
    user = await make_user(services, email="somebody.known@example.com")
    await public.get(f"/api/server/v1/users/{user.id}", key=key)
    for path in (f"/nothing/{user.id}", "/api/x", "/%00"):
        await public.get(path)
    await public.call("BREW", "/health/alive")
    text = (await admin.get("/metrics")).text
    assert 'operation="GET /api/server/v1/users/{user_id}",status="200"' in text
    assert 'operation="other",status="404"' in text
    for hidden in (str(user.id), "somebody", "BREW", key, "127.0.0.1", "/nothing"):
        assert hidden not in text


async def test_sign_ins_and_limits_are_counted(services, admin):
    before = await scraped(admin)
    for event, details in (
        ("login_success", {"login_method": "passkey"}),
        ("login_failure", {"login_method": "password"}),
        ("login_failure", {"login_method": "password", "mfa_method": "totp"}),
        ("login_failure", {}),
        ("thirdparty_signin_signup_failed", {"provider": "google"}),
    ):
        await services.audit.record(event, SYSTEM, details=details)
    for _ in range(5):
        await services.rate_limits.take("token_exchange", address="192.0.2.1")
    found = await scraped(admin)

    def more(name):
        return found[name] - before.get(name, 0)

    assert more('sekisho_logins_total{method="passkey",outcome="success"}') == 1
    assert more('sekisho_logins_total{method="password",outcome="failure"}') == 1
    assert more('sekisho_logins_total{method="totp",outcome="failure"}') == 1
    assert more('sekisho_logins_total{method="other",outcome="failure"}') == 1
    assert more('sekisho_logins_total{method="third_party",outcome="failure"}') == 1
    assert more('sekisho_rate_limit_hits_total{operation="token_exchange"}') == 2


async def test_what_waits_shows_with_its_age(services, admin, clock):
    user = await make_user(services)
    await services.events.record("user.delete", {"id": "x"}, user_id=user.id)
    clock.now += timedelta(seconds=90)
    found = await scraped(admin)
    assert found['sekisho_outbox_waiting{queue="webhook_events"}'] >= 1
    assert found['sekisho_outbox_oldest_seconds{queue="webhook_events"}'] == 90
    assert found['sekisho_outbox_waiting{queue="mail"}'] == 0
    assert found['sekisho_outbox_oldest_seconds{queue="mail"}'] == 0
    assert found["sekisho_database_up"] == 1
    assert found['sekisho_database_connections{state="open"}'] >= 1
    assert found['sekisho_database_connections{state="in_use"}'] >= 0
    assert found['sekisho_password_hashing{kind="held"}'] == 0
    assert found['sekisho_password_hashing{kind="most"}'] > 0


async def test_the_oldest_delivery_tells_its_age_though_others_are_due_before(
    services, admin, clock
):
    hook, _ = await services.webhooks.create(SYSTEM, "https://hooks.example.com/", ("user",))
    event = {"id": uuid4(), "name": "user.login", "user_id": None}
    for due_in in (timedelta(hours=1), timedelta(0)):
        await services.dispatch.deliveries.put(hook.id, event, due_in=due_in)
        clock.now += timedelta(seconds=60)
    found = await scraped(admin)
    assert found['sekisho_outbox_waiting{queue="webhook_deliveries"}'] == 2
    assert found['sekisho_outbox_oldest_seconds{queue="webhook_deliveries"}'] == 120


async def test_the_process_tells_what_it_takes(services, admin, monkeypatch, tmp_path):
    found = await scraped(admin)
    assert found["process_cpu_seconds_total"] > 0
    assert "# TYPE process_cpu_seconds_total counter" in (await admin.get("/metrics")).text
    if gauges._FILES.exists():
        assert found["process_resident_memory_bytes"] > 1024 * 1024
        assert found["process_open_fds"] > 2
    monkeypatch.setattr(gauges, "_FILES", tmp_path / "none")
    found = await scraped(admin)
    assert not {"process_resident_memory_bytes", "process_open_fds"} & found.keys()


async def test_without_a_database_the_process_still_tells_what_it_counts(
    services, admin, monkeypatch
):
    async def away(*_):
        raise Unavailable

    monkeypatch.setattr("app.gauges.fetch", away)
    found = await scraped(admin)
    assert found["sekisho_database_up"] == 0
    assert not any("outbox" in name for name in found)


async def test_the_worker_shows_that_it_works(services, admin):
    async with working(services):
        await services.mail.sweep()
    found = await scraped(admin)
    steps = {n for n in found if n.startswith("sekisho_worker_last_step_timestamp_seconds")}
    assert 'sekisho_worker_last_step_timestamp_seconds{step="deliver"}' in steps


async def test_a_session_shows_nowhere_sec_116(services, public, admin):
    issued = await make_session(services, await make_user(services))
    await public.gql("{ me { id } }", token=issued.token)
    text = (await admin.get("/metrics")).text
    for hidden in (issued.token, str(issued.session.id), str(issued.session.user_id)):
        assert hidden not in text
