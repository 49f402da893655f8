"""Every provider, from the first request of a browser to the session, on both databases."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import msgspec
import pytest
from faces.clients import Face
from factories import make_user
from federation.connectors.doubles import BY_NAME, CASES, EMAIL, REDIRECT, Case
from federation.connectors.loopback import serving
from federation.providers import ERRORS, TARGET, VERIFIER, told
from federation.whole_double import WholeDouble

from app.assembly import Services, assemble
from app.config.sections import AccountRules, Email, Privacy, RateLimiter, TokenLimits
from app.federation.connectors import Connectors
from app.federation.making import connectors_of
from app.federation.pkce import challenge_of
from app.outbound import Limits, Outbound, Reach
from app.outbound.addresses import LOOPBACK
from app.persistence import fetch

CALLBACK = "/thirdparty/callback"
COOKIE = "hanko_thirdparty_state"
FIRST_TIME = {"name": {"firstName": "Ada", "lastName": "Lovelace"}}
NAMES = {"apple": "Ada Lovelace", "custom_forum": None}
LENIENT = {"email": Email(require_verification=False)}


@dataclass(frozen=True)
class Row:
    """A sign-in, and what comes of it.

    Attributes:
        name: The provider's id.
        id_token: What its ID token says besides; None leaves a claim out.
        settings: Sections of the configuration.
        is_known: Whether somebody has the address already, verified.
        is_verified: Whether the address of the account is verified at the end.
        refusal: The code that comes instead of a session.
        at_once: Whether the refusal comes with the browser, not only to who redeems the token.
    """

    name: str
    id_token: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    is_known: bool = False
    is_verified: bool = True
    refusal: str = ""
    at_once: bool = True

    def __str__(self) -> str:
        whose = "known" if self.is_known else "new"
        claims = "-".join(f"{key}={value}" for key, value in self.id_token.items())
        return "-".join(filter(None, (self.name, whose, claims, self.refusal)))


def unproved(claim: dict) -> list[Row]:
    """Microsoft, where it does not say that the domain is its tenant's."""
    return [
        Row("microsoft", claim, refusal="flow_required", at_once=False),
        Row("microsoft", claim, settings=LENIENT, is_verified=False),
        Row("microsoft", claim, is_known=True, refusal="unverified_email"),
        Row("microsoft", claim, settings=LENIENT, is_known=True, refusal="unverified_email"),
    ]


def joining(case: Case) -> Row:
    """Somebody has the address: built-in providers link by it, one's own do not unless told to."""
    is_own = case.name.startswith("custom_")
    return Row(case.name, is_known=True, refusal="user_conflict" if is_own else "")


ROWS = [
    *(Row(case.name) for case in CASES),
    *(joining(case) for case in CASES),
    *unproved({"xms_edov": None}),
    *unproved({"xms_edov": False, "email_verified": True}),
]


@dataclass
class Trip:
    """A deployment with one provider, and a browser."""

    services: Services
    double: WholeDouble
    face: Face
    has_posted: bool = False

    async def signed_in_there(self, name: str) -> dict[str, str]:
        """Go to the provider and come back; give what the browser is sent on with."""
        start = {
            "provider": name,
            "redirect_to": TARGET,
            "code_challenge": challenge_of(VERIFIER),
        }
        begun = await self.face.get(f"/thirdparty/auth?{urlencode(start)}")
        assert begun.status_code == 307, begun.text
        secret = begun.headers["set-cookie"].partition("=")[2].partition(";")[0]
        query = await self._at_the_provider(begun.headers["location"])
        back = await self.face.get(f"{CALLBACK}?{query}", headers={"cookie": f"{COOKIE}={secret}"})
        assert back.status_code == 307, back.text
        return told(back.headers["location"])

    async def _at_the_provider(self, url: str) -> str:
        """Open the provider's page as a browser does, and give the query that it comes back with.

        A form that the page has posted becomes a query by our own redirect.
        """
        assert url.startswith(f"{self.double.server.url}/authorize?")
        async with httpx.AsyncClient(trust_env=False) as browser:
            page = await browser.get(url)
        if page.status_code == 302:
            location = page.headers["location"]
        else:
            posted, self.has_posted = page.json(), True
            assert posted["action"] == REDIRECT
            form = {"content-type": "application/x-www-form-urlencoded"}
            content = urlencode(posted["fields"]).encode()
            answer = await self.face.post(CALLBACK, content=content, headers=form)
            assert answer.status_code == 303, answer.text
            location = urljoin(REDIRECT, answer.headers["location"])
        assert location.startswith(f"{REDIRECT}?")
        return urlsplit(location).query

    async def redeemed(self, token: str, verifier: str = VERIFIER) -> httpx.Response:
        return await self.face.post("/token", {"token": token, "code_verifier": verifier})

    async def me(self, answer: httpx.Response) -> dict:
        """Show who is signed in, to the session that an answer has begun."""
        assert answer.status_code == 200, answer.text
        session = answer.headers["set-cookie"].partition("hanko=")[2].partition(";")[0]
        shown = (await self.face.get("/me", cookie=session)).json()
        assert shown["user_id"] == answer.json()["user_id"]
        return shown


@pytest.fixture
async def prepared(empty, clock) -> AsyncIterator[Callable]:
    """Makes the deployment of a row, and its provider on loopback."""
    async with AsyncExitStack() as stack:

        async def make(row: Row) -> Trip:
            case = BY_NAME[row.name]
            server = await stack.enter_async_context(serving())
            double = WholeDouble(server, takes_verifier=case.sends_verifier, first_time=FIRST_TIME)
            case.prepare(double)
            said = {**double.claims, **row.id_token}
            double.claims = {key: value for key, value in said.items() if value is not None}
            double.attach()
            third_party = msgspec.structs.replace(
                case.third_party(server.url),
                error_redirect_url=ERRORS,
                allowed_redirect_urls=[TARGET],
            )
            outbound = Outbound.within(Reach.of(LOOPBACK), Limits(seconds=5))
            made = connectors_of(third_party, outbound, clock, double.places())
            connectors = Connectors(made, made.keys(), outbound)
            stack.push_async_callback(connectors.close)
            rules = {
                "privacy": Privacy(show_account_existence_hints=True),
                "account": AccountRules(allow_signup=True),
                "rate_limiter": RateLimiter(token_limits=TokenLimits(tokens=4)),
            }
            config = msgspec.structs.replace(
                empty, third_party=third_party, **rules, **row.settings
            )
            services = assemble(config, clock=clock, connectors=connectors)
            await services.signing_keys.load()
            return Trip(services, double, Face(services))

        yield make


async def count(table: str) -> int:
    return (await fetch(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"]


async def refused(trip: Trip, row: Row, back: dict[str, str]) -> None:
    """See that no session comes, and that nothing is left behind."""
    if row.at_once:
        assert (back["to"], back["error"]) == (TARGET, row.refusal)
        assert "hanko_token" not in back
    else:
        answer = await trip.redeemed(back["hanko_token"])
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, row.refusal)
        assert "set-cookie" not in answer.headers
    assert await count("identity") == await count("user_session") == 0
    assert await count("app_user") == row.is_known


async def came_in(trip: Trip, row: Row, back: dict[str, str]) -> dict:
    """See that only who has begun gets a session, and give whom it shows."""
    assert back.keys() == {"to", "hanko_token"}, back
    assert back["to"] == TARGET
    other = await trip.redeemed(back["hanko_token"], "w" * 64)
    assert (other.status_code, other.json()["error"]["code"]) == (400, "code_verifier_mismatch")
    me = await trip.me(await trip.redeemed(back["hanko_token"]))
    (email,), (identity,) = me["emails"], me["identities"]
    assert (email["address"], email["is_verified"]) == (EMAIL, row.is_verified)
    assert identity["id"] == BY_NAME[row.name].subject
    assert me.get("name") == NAMES.get(row.name, "Ada L")
    return me


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_browser_comes_back_with_a_session_or_a_code_sec_075_076_078_081(prepared, row):
    trip = await prepared(row)
    owner = await make_user(trip.services, email=EMAIL) if row.is_known else None
    back = await trip.signed_in_there(row.name)
    asked = [one.path for one in trip.double.server.asked if one.path != "/authorize"]
    assert asked == list(BY_NAME[row.name].steps)
    assert trip.has_posted == (row.name == "apple")
    if row.refusal:
        await refused(trip, row, back)
        return
    me = await came_in(trip, row, back)
    assert owner is None or me["user_id"] == str(owner.id)
    again = await trip.signed_in_there(row.name)  # Apple tells no name any more
    assert await came_in(trip, row, again) == me
    assert await count("app_user") == await count("identity") == 1
