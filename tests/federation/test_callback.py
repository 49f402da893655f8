"""The way back from a provider: every check, each with its error, and where the browser is sent."""

import json
from dataclasses import replace

import pytest
from factories import make_user
from federation.providers import (
    ERRORS,
    ISSUER,
    TARGET,
    VERIFIER,
    begun,
    finished,
    round_trip,
    token_of,
)

from app import upkeep
from app.access import SYSTEM
from app.federation.errors import ProviderUnreachable, UserDataUnusable
from app.federation.exchange import Redemption
from app.federation.sign_in import CallbackAnswer
from app.persistence import fetch, transaction
from app.redirects import Redirects

SERVER_ERROR = {"error": "server_error", "error_description": "an internal error has occurred"}


def invalid(description, to=TARGET):
    return {"to": to, "error": "invalid_request", "error_description": description}


async def failures():
    rows = await fetch(
        "SELECT details FROM audit_event WHERE type = 'thirdparty_signin_signup_failed' ORDER BY id"
    )
    return [json.loads(row["details"]) for row in rows]


async def count(table):
    return (await fetch(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"]


@pytest.fixture
async def started(services, google):
    """A sign-in that has begun, and the answer that its provider would give."""
    google.knows()
    made, state = await begun(services)
    return CallbackAnswer(state=state, code="code", browser_secret=made.browser_secret)


class TestChecks:
    async def test_all_is_well(self, services, started):
        back = await finished(services, started)
        assert back.keys() == {"to", "hanko_token"}
        assert back["to"] == TARGET
        assert await failures() == []

    async def test_1_a_query_that_cannot_be_read(self, services, started):
        back = await finished(services, replace(started, is_readable=False))
        assert back == {"to": ERRORS, **SERVER_ERROR}

    async def test_2_no_state(self, services, started):
        back = await finished(services, replace(started, state=""))
        assert back == invalid("state is a required field", ERRORS)

    async def test_3_no_cookie_sec_074(self, services, started):
        back = await finished(services, replace(started, browser_secret=""))
        assert back == invalid("expected state must not be empty", ERRORS)

    async def test_3_another_browser_sec_074(self, services, started):
        other, _ = await begun(services)
        back = await finished(services, replace(started, browser_secret=other.browser_secret))
        assert back == invalid("could not verify state", ERRORS)
        assert "hanko_token" in await finished(services, started)

    async def test_3_an_unknown_state_sec_074(self, services, started):
        back = await finished(services, replace(started, state="x" * 43))
        assert back == invalid("could not verify state", ERRORS)

    async def test_3_a_state_that_was_used_sec_074(self, services, started):
        await finished(services, started)
        assert await finished(services, started) == invalid("could not verify state", ERRORS)

    async def test_3_a_state_that_is_too_old_sec_074(self, services, started, clock):
        clock.advance(minutes=5)
        assert await finished(services, started) == invalid("state is expired", ERRORS)

    async def test_4_a_target_that_is_no_longer_allowed_sec_082(self, services, started):
        stricter = replace(services.federation, redirects=Redirects([ERRORS]))
        done = await stricter.finish(SYSTEM, started)
        assert done.redirect_url.startswith(f"{ERRORS}?error=server_error&")

    async def test_5_the_provider_refuses_in_its_words(self, services, started):
        said = replace(started, code="", error="access_denied", error_description="Not <you>&x=y")
        assert await finished(services, said) == {
            "to": TARGET,
            "error": "access_denied",
            "error_description": "Not <you>&x=y",
        }

    async def test_5_an_error_of_another_issuer_is_not_passed_on_sec_079(self, services, started):
        """SEC-079: RFC 9207 §2.4 asks for `iss` in answers that report an error, too."""
        said = replace(started, code="", error="access_denied", error_description="Pay at evil.com")
        back = await finished(services, replace(said, iss="https://evil.example.com"))
        assert back == invalid("the response is not from the expected issuer")

    async def test_5_an_error_of_the_provider_itself_is_passed_on(self, services, started):
        back = await finished(services, replace(started, error="access_denied", iss=ISSUER))
        assert back["error"] == "access_denied"

    async def test_5_an_error_of_a_provider_that_was_switched_off_sec_084(
        self, services, started, connectors
    ):
        connectors.off.add("google")
        back = await finished(services, replace(started, error="access_denied"))
        assert back == invalid("provider is disabled")

    @pytest.mark.parametrize("error", ["a b", "é", "x" * 65, "a\r\nb", "<script>", "a&b=c"])
    async def test_5_what_is_no_code_becomes_ours(self, services, started, error):
        said = replace(started, error=error, error_description="a\r\n\x00b" + "c" * 1000)
        back = await finished(services, said)
        assert back["error"] == "invalid_request"
        assert back["error_description"] == "ab" + "c" * 495

    async def test_6_a_provider_that_is_gone_sec_084(self, services, started, connectors):
        connectors.doubles.pop("google")
        assert await finished(services, started) == invalid("unknown provider")

    async def test_6_a_provider_that_was_switched_off_sec_084(self, services, started, connectors):
        connectors.off.add("google")
        assert await finished(services, started) == invalid("provider is disabled")

    async def test_7_no_code(self, services, started):
        back = await finished(services, replace(started, code=""))
        assert back == invalid("auth code missing from request")

    async def test_8_a_code_that_is_worth_nothing(self, services, started):
        back = await finished(services, replace(started, code="other"))
        assert back == invalid("could not exchange authorization code for access token")

    async def test_9_user_data_that_cannot_be_used(self, services, started, google):
        google.failure = UserDataUnusable()
        back = await finished(services, started)
        assert back == invalid("could not retrieve user data from provider")

    async def test_9_the_identity_of_another_provider_sec_079(self, services, started, google):
        google.knows(provider="custom_corp")
        back = await finished(services, started)
        assert back == invalid("the response is not from the expected issuer")

    async def test_10_a_refusal_that_is_foreseen(self, services, started, google):
        user = await make_user(services, email="ada@example.com")
        google.knows(email_verified=False)
        assert await finished(services, started) == {
            "to": TARGET,
            "error": "unverified_email",
            "error_description": "third party provider email must be verified",
        }
        assert (await services.federation.identities_of([user.id]))[user.id] == []

    async def test_11_the_identity_of_another(self, services, google):
        google.knows()
        other = await make_user(services)
        token = await token_of(services)
        async with transaction():
            await services.federation.redeem(
                SYSTEM, token, Redemption("token_exchange", code_verifier=VERIFIER)
            )
        back = await round_trip(services, kind="profile", user_id=other.id)
        assert back == invalid("identity already exists for a different user")

    async def test_12_a_provider_that_does_not_answer(self, services, started, google):
        google.failure = ProviderUnreachable()
        assert await finished(services, started) == {"to": TARGET, **SERVER_ERROR}

    @pytest.mark.parametrize("failure", [ValueError("code"), KeyError("sub"), RecursionError()])
    async def test_12_what_no_connector_has_foreseen(self, services, started, google, failure):
        google.failure = failure
        assert await finished(services, started) == {"to": TARGET, **SERVER_ERROR}

    async def test_the_answer_goes_to_the_provider_that_was_asked_sec_079(
        self, services, started, google, corp
    ):
        corp.knows()
        await finished(services, replace(started, iss=ISSUER, user="{}"))
        assert corp.answered == []
        (answer,) = google.answered
        assert (answer.code, answer.issuer, answer.user) == ("code", ISSUER, "{}")
        assert answer.nonce == google.started[0].nonce


class TestWhatItLeaves:
    async def test_a_callback_leaves_the_exchange_token_alone(self, services, started):
        await finished(services, started)
        assert await count("exchange_token") == 1
        for table in ("federation_state", "app_user", "email", "identity", "user_session"):
            assert await count(table) == 0

    async def test_a_sign_in_that_is_given_up_leaves_nothing_sec_126(
        self, services, started, clock
    ):
        await finished(services, started)
        await begun(services)
        clock.advance(minutes=6)
        await upkeep.sweep(services)
        for table in ("exchange_token", "federation_state", "app_user", "identity"):
            assert await count(table) == 0

    async def test_every_failure_is_recorded_without_secrets_sec_116_118(self, services, started):
        await finished(services, replace(started, code="s3cret"))
        assert await failures() == [
            {"error": "invalid_request", "reason": "CodeNotExchanged", "provider": "google"}
        ]
        await finished(services, started)
        reasons = {failure["reason"] for failure in await failures()}  # of one moment: no order
        assert reasons == {"CodeNotExchanged", "StateUnverified"}
        events = str(await fetch("SELECT details FROM audit_event"))
        assert "s3cret" not in events
        assert started.state not in events
        assert started.browser_secret not in events

    async def test_the_target_keeps_its_query_and_loses_a_foreign_token(self, services, google):
        google.knows()
        wide = replace(services.federation, redirects=Redirects(["https://app.example.com/**"]))
        services = replace(services, federation=wide)
        back = await round_trip(services, redirect_to=f"{TARGET}?x=1&hanko_token=evil")
        assert back["x"] == "1"
        assert len(back["hanko_token"]) == 43
