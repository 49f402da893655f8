"""One suite that every connector passes, against doubles on real sockets."""

import base64
import gzip
import json
import logging
from urllib.parse import parse_qsl, urlsplit

import pytest
from federation.connectors.conftest import START
from federation.connectors.doubles import (
    ACCESS_TOKEN,
    CASES,
    CLIENT_ID,
    CODE,
    EMAIL,
    NONCE,
    REDIRECT,
    SECRET,
    VERIFIER,
)
from federation.connectors.loopback import Reply

from app import strictjson
from app.federation.errors import (
    CodeNotExchanged,
    IdTokensNotTaken,
    IssuerMismatch,
    ProviderUnreachable,
    UserDataUnusable,
)

REFUSED = (CodeNotExchanged, UserDataUnusable, ProviderUnreachable)
EVERY = pytest.mark.parametrize("name", [case.name for case in CASES])
STEPS = [(case.name, step) for case in CASES for step in case.steps]
SECRETS = (CODE, VERIFIER, ACCESS_TOKEN, SECRET)


def spoiled(kind: str, good: Reply) -> Reply:
    """An answer as nobody should give it, made of a good one."""
    body = json.dumps(good.body).encode()
    answers = {
        "redirect": Reply(body, 302, headers=("Location: /elsewhere",)),
        "permanent redirect": Reply(body, 308, headers=("Location: /elsewhere",)),
        "too long": Reply(body + b" " * (1024 * 1024 + 1 - len(body))),
        "no json": Reply(b"<html>Hello</html>"),
        "another type": Reply(body, content_type="text/html"),
        "no type": Reply(body, content_type=""),
        "server error": Reply(body, 503),
        "refused": Reply(body, 400),
        "created": Reply(body, 201),
        "a text": Reply("text"),
        "nothing": Reply(b""),
        "null": Reply(None),
        "a key twice": Reply(b'{"sub": "a", "sub": "b"}'),
        "nested deeply": Reply(b"[" * 5000 + b"]" * 5000),
        "no utf-8": Reply(b'{"sub": "\xff"}'),
        "compressed": Reply(gzip.compress(body), headers=("Content-Encoding: gzip",)),
    }
    return answers[kind]


KINDS = [
    *("redirect", "permanent redirect", "too long", "no json", "another type", "no type"),
    *("server error", "refused", "created", "a text", "nothing", "null", "a key twice"),
    *("nested deeply", "no utf-8", "compressed"),
]


class TestSigningIn:
    @EVERY
    async def test_a_good_answer_says_who_it_is_sec_080(self, meet, name):
        meeting = await meet(name)
        await meeting.start()
        found = await meeting.identify()
        assert (found.provider, found.subject) == (name, meeting.case.subject)
        assert (found.email, found.email_verified) == (EMAIL, True)
        assert found.claims["sub"] == found.subject
        assert found.claims["iss"] == found.issuer
        assert [asked.path for asked in meeting.server.asked] == list(meeting.case.steps)

    @EVERY
    async def test_the_browser_is_sent_with_state_and_challenge_sec_074_075(self, meet, name):
        url = await (await meet(name)).start()
        query = dict(parse_qsl(urlsplit(url).query))
        assert "+" not in url
        assert query["response_type"] == "code"
        assert (query["client_id"], query["redirect_uri"]) == (CLIENT_ID, REDIRECT)
        assert query["state"] == START.state
        challenge = (query["code_challenge"], query["code_challenge_method"])
        assert challenge == (START.code_challenge, "S256")
        assert not any(secret in url for secret in SECRETS)

    @EVERY
    async def test_a_callback_of_its_own_is_named_at_both_ends_sec_079(self, meet, name):
        meeting = await meet(name, callback=REDIRECT + "/{provider}")
        query = dict(parse_qsl(urlsplit(await meeting.start()).query))
        assert query["redirect_uri"] == f"{REDIRECT}/{name}"
        await meeting.identify()
        (token,) = [asked for asked in meeting.server.asked if asked.path == "/token"]
        assert token.form["redirect_uri"] == f"{REDIRECT}/{name}"

    @EVERY
    async def test_a_nonce_is_sent_where_an_id_token_is_read_and_nowhere_else_sec_076(
        self, meet, name
    ):
        meeting = await meet(name)
        query = dict(parse_qsl(urlsplit(await meeting.start()).query))
        assert query.get("nonce") == (NONCE if meeting.case.is_oidc else None)

    @EVERY
    async def test_the_verifier_goes_to_the_token_endpoint_alone_sec_075(self, meet, name):
        meeting = await meet(name)
        await meeting.identify()
        for asked in meeting.server.asked:
            is_token = asked.path == "/token"
            assert (CODE.encode() in asked.raw) == is_token
            expected = is_token and meeting.case.sends_verifier
            assert (VERIFIER.encode() in asked.raw) == expected
        (token,) = [asked for asked in meeting.server.asked if asked.path == "/token"]
        assert token.method == "POST"
        assert token.form["grant_type"] == "authorization_code"
        assert token.form["redirect_uri"] == REDIRECT

    @EVERY
    async def test_the_client_shows_its_secret_at_the_token_endpoint_alone(self, meet, name):
        meeting = await meet(name)
        await meeting.identify()
        basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        for asked in meeting.server.asked:
            shown = asked.headers.get("authorization") == f"Basic {basic}"
            posted = (asked.form.get("client_id"), asked.form.get("client_secret"))
            assert (shown or posted == (CLIENT_ID, SECRET)) == (asked.path == "/token")
            assert SECRET not in json.dumps(asked.query)

    @EVERY
    async def test_no_token_is_part_of_who_it_is_sec_017(self, meet, name):
        meeting = await meet(name)
        meeting.double.token = {"refresh_token": "SECRETREFRESHTOKEN", "scope": "email"}
        if isinstance(meeting.double.person, dict):
            meeting.double.person |= {"access_token": ACCESS_TOKEN, "id_token": "x.y.z"}
        meeting.double.claims |= {
            "access_token": ACCESS_TOKEN,
            "refresh_token": "SECRETREFRESHTOKEN",
        }
        found = await meeting.identify()
        written = strictjson.encode(dict(found.claims)) + repr(found)
        for secret in (
            *SECRETS,
            "SECRETREFRESHTOKEN",
            meeting.double.claims.get("nonce", "no-such"),
        ):
            assert secret not in written
        assert not {"access_token", "id_token", "refresh_token", "nonce"} & found.claims.keys()

    @EVERY
    async def test_no_log_tells_a_code_a_verifier_a_token_or_a_secret_sec_017_116(
        self, meet, name, caplog
    ):
        caplog.set_level(logging.DEBUG)
        meeting = await meet(name)
        await meeting.start()
        await meeting.identify()
        meeting.server.paths["/token"] = lambda _: Reply({"error": CODE, "x": ACCESS_TOKEN}, 400)
        with pytest.raises(CodeNotExchanged) as refused:
            await meeting.identify()
        told = str(refused.value) + str([one.__dict__ for one in caplog.records])
        assert not any(secret in told for secret in SECRETS)

    @EVERY
    async def test_who_has_not_been_asked_gives_no_id_tokens(self, meet, name):
        meeting = await meet(name)
        if meeting.case.is_oidc:
            found = await meeting.connector.identify_by_token(meeting.double.sign(), NONCE)
            assert found.subject == meeting.case.subject
        else:
            with pytest.raises(IdTokensNotTaken):
                await meeting.connector.identify_by_token("x.y.z", NONCE)


class TestHostileAnswers:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("name", "step"), STEPS)
    async def test_an_answer_that_is_not_as_it_must_be_signs_nobody_in_sec_083(
        self, meet, name, step, kind
    ):
        meeting = await meet(name)
        answer = meeting.server.paths[step]
        meeting.server.paths[step] = lambda asked: spoiled(kind, answer(asked))
        with pytest.raises(REFUSED):
            await meeting.identify()
        assert meeting.server.count("/elsewhere") == 0

    @pytest.mark.parametrize(("name", "step"), STEPS)
    async def test_who_does_not_answer_is_not_waited_for_sec_083(self, meet, name, step):
        meeting = await meet(name, seconds=0.4)
        meeting.server.paths[step] = lambda _: Reply(stalls=True)
        with pytest.raises(ProviderUnreachable):
            await meeting.identify()

    @EVERY
    @pytest.mark.parametrize(
        "answer",
        [
            {"error": "invalid_grant"},
            {"error": ["a list"]},
            {},
            {"access_token": ""},
            {"access_token": 5},
            {"access_token": "a b"},
            {"access_token": "new\nline"},
            {"access_token": "x" * 20_000},
            {"access_token": "é"},
            {"access_token": ACCESS_TOKEN, "token_type": "mac"},
            {"access_token": ACCESS_TOKEN, "token_type": 5},
            {"access_token": ACCESS_TOKEN, "expires_in": "soon"},
            {"access_token": ACCESS_TOKEN, "expires_in": {"a": 1}},
            {"access_token": ACCESS_TOKEN, "expires_at": []},
        ],
    )
    async def test_what_is_no_token_is_none(self, meet, name, answer):
        meeting = await meet(name)
        meeting.server.paths["/token"] = lambda _: Reply(answer)
        with pytest.raises(CodeNotExchanged):
            await meeting.identify()

    @EVERY
    @pytest.mark.parametrize("code", ["", "x" * 5000, "new\nline", "\x00", "é", "\ud800"])
    async def test_what_is_no_code_is_not_sent_on(self, meet, name, code):
        meeting = await meet(name)
        with pytest.raises(CodeNotExchanged):
            await meeting.identify(code=code)
        assert meeting.server.count("/token") == 0

    @EVERY
    async def test_an_answer_of_another_issuer_brings_no_code_anywhere_sec_079(self, meet, name):
        meeting = await meet(name)
        for issuer in ("https://evil.example.com", "", meeting.server.url + "/", "null"):
            with pytest.raises(IssuerMismatch):
                await meeting.identify(issuer=issuer)
            with pytest.raises(IssuerMismatch):
                await meeting.connector.check_issuer(issuer)
        assert meeting.server.count("/token") == 0

    @EVERY
    async def test_a_subject_that_nobody_can_compare_is_refused_sec_080(self, meet, name):
        for subject in (
            None,
            "",
            " ",
            True,
            1.5,
            [],
            {},
            "x" * 256,
            "a\x00b",
            "a\u200bb",
            "\ud800",
        ):
            meeting = await meet(name)
            person = meeting.double.person
            meeting.double.claims["sub"] = subject
            if isinstance(person, dict):
                key = "id" if "id" in person else "sub"
                person |= {key: subject, "user": {"id": subject}}
            with pytest.raises(UserDataUnusable):
                await meeting.identify()
