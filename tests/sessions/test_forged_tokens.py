"""Tokens that are not ours, or not meant for this: each is refused, before and after a good one
has been seen and remembered."""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from factories import make_session, make_user
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.access import SYSTEM
from app.assembly import Services, assemble
from app.config.sections import KeyManagement, Secrets
from app.keys import pairs
from app.keys.jws import MAX_TOKEN
from app.keys.pairs import Pair
from app.persistence import fetch
from app.sessions import SignedIn

AUDIENCE, ISSUER = "https://app.example.com", "https://id.example.com"
ATTACKERS = {name: pairs.generate("attacker", name) for name in ("ES256", "RS256", "EdDSA")}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Good:
    """A good token, taken apart, with the means to sign another."""

    token: str
    pair: Pair
    others_session: str
    jwk: dict[str, str]
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)

    def signed(self, header: Any = None, claims: Any = None, pair: Pair | None = None) -> str:
        """A token over any header and payload, under the right key unless told otherwise."""
        parts = (
            self.header if header is None else header,
            self.claims if claims is None else claims,
        )
        signing = b".".join(map(_segment, parts))
        return f"{signing.decode()}.{_b64(_signature(signing, pair or self.pair)).decode()}"

    def headed(self, **members: Any) -> str:
        """A token with other members in its header; None leaves one out."""
        header = {k: v for k, v in (self.header | members).items() if v is not _ABSENT}
        return self.signed(header=header)

    def claiming(self, **claims: Any) -> str:
        """A token that claims something else."""
        return self.signed(
            claims={k: v for k, v in (self.claims | claims).items() if v is not _ABSENT}
        )

    def parts(self) -> list[str]:
        return self.token.split(".")


_ABSENT: Any = object()
Forgery = Callable[[Good], str]
FORGERIES: dict[str, Forgery] = {}


def forged(name: str, forgery: Forgery) -> None:
    assert name not in FORGERIES
    FORGERIES[name] = forgery


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _raw(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _segment(part: Any) -> bytes:
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return _b64(raw)


def _signature(signing: bytes, pair: Pair) -> bytes:
    algorithm = jwt.get_algorithm_by_name(pair.algorithm)
    return algorithm.sign(signing, algorithm.prepare_key(pair.private))


def _unsigned(good: Good, header: Any, signature: bytes = b"") -> str:
    return b".".join((_segment(header), _segment(good.claims), _b64(signature))).decode()


# --- SEC-019: the algorithm is the key's own -----------------------------------------------------

for spelling in ("none", "None", "NONE", "nOnE", ""):
    forged(
        f"alg {spelling or 'empty'}, no signature",
        lambda good, alg=spelling: _unsigned(good, good.header | {"alg": alg}),
    )
    forged(
        f"alg {spelling or 'empty'}, a blank signature",
        lambda good, alg=spelling: _unsigned(good, good.header | {"alg": alg}, b"\0"),
    )
    forged(
        f"alg {spelling or 'empty'}, the good signature",
        lambda good, alg=spelling: _unsigned(
            good, good.header | {"alg": alg}, _raw(good.parts()[2])
        ),
    )
forged("alg missing", lambda good: good.headed(alg=_ABSENT))
for wrong in (
    None,
    1,
    True,
    ["ES256"],
    {"ES256": 1},
    "es256",
    "ES256 ",
    "ES256K",
    "PS256",
    "ES384",
):
    forged(f"alg {wrong!r}", lambda good, alg=wrong: good.headed(alg=alg))
forged("alg of another family in the header", lambda good: good.headed(alg="RS256"))
for name, pair in ATTACKERS.items():
    forged(
        f"another {name} key under our kid",
        lambda good, pair=pair: good.signed(good.header | {"alg": pair.algorithm}, None, pair),
    )


def _public_texts(pair: Pair, jwk: dict[str, str]) -> dict[str, bytes]:
    spki = PublicFormat.SubjectPublicKeyInfo
    pem = pair.public.public_bytes(Encoding.PEM, spki)
    point = pair.public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "PEM": pem,
        "PEM without its last line break": pem.rstrip(),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM without its frame": b"".join(pem.splitlines()[1:-1]),
        "DER": pair.public.public_bytes(Encoding.DER, spki),
        "JWK text": json.dumps(jwk).encode(),
        "JWK text, compact": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK set text": json.dumps({"keys": [jwk]}).encode(),
        "point": point,
        "x": _raw(jwk["x"]),
        "x in base64url": jwk["x"].encode(),
        "kid": jwk["kid"].encode(),
        "empty": b"",
    }


def _hmac(good: Good, name: str, bits: int) -> str:
    header = good.header | {"alg": f"HS{bits}"}
    key = _public_texts(good.pair, good.jwk)[name]
    signing = _segment(header) + b"." + _segment(good.claims)
    digest = hmac.digest(key, signing, f"sha{bits}")
    return (signing + b"." + _b64(digest)).decode()


_ANY = pairs.generate("any", "ES256")
for text in _public_texts(_ANY, pairs.public_jwk(_ANY)):
    for size in (256, 512):
        forged(
            f"HS{size} with the public key as {text}",
            lambda good, text=text, size=size: _hmac(good, text, size),
        )

forged("empty signature", lambda good: ".".join((*good.parts()[:2], "")))
forged(
    "signature of noughts", lambda good: ".".join((*good.parts()[:2], _b64(b"\0" * 64).decode()))
)
forged("signature in DER", lambda good: ".".join((*good.parts()[:2], _b64(_der(good)).decode())))
forged("signature cut short", lambda good: good.token[:-4])
forged("signature made longer", lambda good: good.token + "AAAA")
forged("signature of another token", lambda good: _mixed(good))  # noqa: PLW0108  # below


def _der(good: Good) -> bytes:
    raw = _raw(good.parts()[2])
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


def _mixed(good: Good) -> str:
    other = good.claiming(exp=good.claims["exp"] + 1)
    return ".".join((*other.split(".")[:2], good.parts()[2]))


# --- SEC-020: a header supplies no key -----------------------------------------------------------

_EVIL = ATTACKERS["ES256"]
for wrong in (
    "00000000-0000-7000-8000-000000000000",
    "",
    "../../../../dev/null",
    "/etc/passwd",
    "file:///etc/passwd",
    "https://evil.example.com/jwks.json",
    "' OR '1'='1",
    "x' UNION SELECT 'AAAA' --",
    "attacker",
    "|/usr/bin/id",
    "\0",
    None,
    0,
    ["kid"],
    {"kid": 1},
):
    forged(f"kid {wrong!r}", lambda good, kid=wrong: good.headed(kid=kid))
    forged(
        f"kid {wrong!r}, the attacker's key",
        lambda good, kid=wrong: good.signed(good.header | {"kid": kid}, None, _EVIL),
    )
forged("kid missing", lambda good: good.headed(kid=_ABSENT))
forged("kid in capitals", lambda good: good.headed(kid=good.header["kid"].upper()))
forged("kid and a NUL", lambda good: good.headed(kid=good.header["kid"] + "\0"))
for member, value in {
    "jwk": pairs.public_jwk(_EVIL),
    "jku": "https://evil.example.com/jwks.json",
    "x5u": "https://evil.example.com/x.pem",
    "x5c": ["MIIB"],
    "x5t": "AAAA",
    "cty": "JWT",
    "p2c": 10**9,
}.items():
    forged(
        f"{member} in the header, the attacker's key",
        lambda good, m=member, v=value: good.signed(good.header | {m: v}, None, _EVIL),
    )
    forged(
        f"{member} in the header, the right key",
        lambda good, m=member, v=value: good.headed(**{m: v}),
    )

# --- SEC-021: the shape --------------------------------------------------------------------------

for member, value in {
    "crit": ["exp"],
    "crit of nothing": [],
    "b64": False,
    "b64 true": True,
    "zip": "DEF",
    "enc": "A256GCM",
    "unknown member": 1,
}.items():
    forged(
        f"{member} {value!r}",
        lambda good, m=member, v=value: good.headed(**{m.split()[0]: v}),
    )
forged("b64 false and critical", lambda good: good.headed(crit=["b64"], b64=False))
forged(
    "a compressed payload",
    lambda good: good.signed(
        good.header | {"zip": "DEF"}, zlib.compress(json.dumps(good.claims).encode())[2:-4]
    ),
)
forged("five segments", lambda good: good.token + ".AAAA.AAAA")
forged("four segments", lambda good: good.token + ".AAAA")
forged("two segments", lambda good: ".".join(good.parts()[:2]))
forged("one segment", lambda good: good.parts()[0])
forged("nothing", lambda _: "")
forged("only dots", lambda _: "..")
forged("a dot before", lambda good: "." + good.token)
forged("a dot behind", lambda good: good.token + ".")
forged("no header", lambda good: ".".join(("", *good.parts()[1:])))
forged("a detached payload", lambda good: f"{good.parts()[0]}..{good.parts()[2]}")
forged(
    "flattened JSON serialisation",
    lambda good: json.dumps(
        dict(zip(("protected", "payload", "signature"), good.parts(), strict=True))
    ),
)
forged(
    "general JSON serialisation",
    lambda good: json.dumps(
        {
            "payload": good.parts()[1],
            "signatures": [{"protected": good.parts()[0], "signature": good.parts()[2]}],
        }
    ),
)
for place in range(3):
    for mark in ("=", "==", " ", "\n", "\t", "\0", "%", "+", "/", "\u00e9", "\ud800"):
        forged(
            f"{mark!r} behind segment {place}",
            lambda good, n=place, mark=mark: ".".join(
                part + mark if n == m else part for m, part in enumerate(good.parts())
            ),
        )
        forged(
            f"{mark!r} inside segment {place}",
            lambda good, n=place, mark=mark: ".".join(
                part[:9] + mark + part[9:] if n == m else part
                for m, part in enumerate(good.parts())
            ),
        )
for extra in range(1, 16):
    forged(f"trailing bits {extra}", lambda good, n=extra: _with_trailing_bits(good.token, n))
forged("the other alphabet", lambda good: _in_standard_alphabet(good))  # noqa: PLW0108  # below
forged("a token before", lambda good: f"{good.token} {good.token}")
forged("Bearer before", lambda good: f"Bearer {good.token}")
forged("in quotes", lambda good: f'"{good.token}"')
forged("longer than 8 KiB", lambda good: good.claiming(padding="x" * MAX_TOKEN))
forged("far longer than 8 KiB", lambda good: good.token + "A" * 10**6)
forged("many dots", lambda _: "." * 8000)


def _with_trailing_bits(token: str, extra: int) -> str:
    """The same signature, spelled with bits that its last character should leave at nought."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | extra]


def _in_standard_alphabet(good: Good) -> str:
    token = good.claiming(note="~~~???\u00ff\u00fe>>>")
    assert "-" in token or "_" in token
    return token.replace("-", "+").replace("_", "/")


HEADERS = {
    "an array": b"[]",
    "a text": b'"header"',
    "null": b"null",
    "nothing": b"{}",
    "no JSON": b"{",
    "no UTF-8": b'{"alg":"\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
}
for name, header in HEADERS.items():
    forged(f"a header of {name}", lambda good, header=header: good.signed(header=header))
forged(
    "alg twice in the header",
    lambda good: good.signed(
        header=json.dumps(good.header).replace("{", '{"alg":"none",', 1).encode()
    ),
)
forged(
    "trailing text in the header",
    lambda good: good.signed(header=json.dumps(good.header).encode() + b" x"),
)

# --- SEC-022: the claims -------------------------------------------------------------------------

PAYLOADS = {
    "an array": b"[]",
    "a text": b'"claims"',
    "a number": b"1",
    "null": b"null",
    "nothing": b"{}",
    "no JSON": b"{",
    "no UTF-8": b'{"sub":"\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "deep nesting": b'{"a":' * 200 + b"1" + b"}" * 200,
}
for name, payload in PAYLOADS.items():
    forged(f"a payload of {name}", lambda good, payload=payload: good.signed(claims=payload))
forged(
    "sub twice in the payload",
    lambda good: good.signed(
        claims=json.dumps(good.claims).replace("{", '{"sub":"x",', 1).encode()
    ),
)
NO_TIME = (None, "", "1", "soon", 1.5, True, False, [], [1], {}, 10**30)
NO_ID = (
    None,
    "",
    0,
    1,
    True,
    [],
    {},
    "x",
    "../me",
    "00000000-0000-0000-0000-00000000000",
    "{00000000-0000-0000-0000-000000000000}",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA",
    "' OR 1=1 --",
)
WRONG = {
    "exp": NO_TIME,
    "iat": NO_TIME,
    "nbf": NO_TIME,
    "sub": NO_ID,
    "session_id": NO_ID,
    "aud": (
        None,
        "",
        AUDIENCE,
        f"{AUDIENCE},x",
        [],
        [""],
        [None],
        [[AUDIENCE]],
        [AUDIENCE, 1],
        {"0": AUDIENCE},
        {AUDIENCE: 1},
        1,
        True,
        [AUDIENCE[:-1]],
        [AUDIENCE[8:]],
        ["https://app.example"],
        [AUDIENCE + "/"],
        [AUDIENCE + ".evil.example"],
        [AUDIENCE.upper()],
        [" " + AUDIENCE],
        ["other"],
    ),
    "iss": (
        None,
        "",
        1,
        [ISSUER],
        {ISSUER: 1},
        ISSUER[:-1],
        ISSUER[8:],
        "https",
        ISSUER + "/",
        ISSUER + ".evil.example",
        ISSUER.upper(),
        " " + ISSUER,
    ),
}
for claim, values in WRONG.items():
    for number, value in enumerate(values):
        forged(
            f"{claim} is {value!r} ({number})",
            lambda good, claim=claim, value=value: good.claiming(**{claim: value}),
        )
for claim in ("exp", "iat", "sub", "session_id", "aud", "iss"):
    forged(f"{claim} is missing", lambda good, claim=claim: good.claiming(**{claim: _ABSENT}))
forged("iat ahead by more than the leeway", lambda good: good.claiming(iat=good.claims["iat"] + 62))
forged("nbf ahead by more than the leeway", lambda good: good.claiming(nbf=good.claims["iat"] + 62))
forged(
    "iat ahead by more than the leeway, nbf past",
    lambda good: good.claiming(iat=good.claims["iat"] + 62, nbf=good.claims["iat"]),
)
forged("the sub of another user", lambda good: good.claiming(sub=str(uuid4())))
forged("the session of another user", lambda good: good.claiming(session_id=good.others_session))

# --- SEC-023: the kind ---------------------------------------------------------------------------

for kind in (
    "webhook+jwt",
    "at+jwt",
    "jwt",
    "JOSE",
    "JWS",
    "",
    "application/jwt",
    None,
    1,
    ["JWT"],
):
    forged(f"typ {kind!r}", lambda good, typ=kind: good.headed(typ=typ))
forged("typ missing", lambda good: good.headed(typ=_ABSENT))
forged("a secret key", lambda _: "sk_0123456789AB_" + "0" * 49)
forged("a number", lambda _: "1")


@pytest.fixture
async def guarded(services: Services) -> Services:
    """The services with an issuer and an audience of their own."""
    session = replace(services.config.session, issuer=ISSUER, audience=[AUDIENCE])
    guarded = assemble(replace(services.config, session=session), clock=services.clock)
    await guarded.signing_keys.load()
    return guarded


@pytest.fixture
async def good(guarded: Services) -> Good:
    others = await make_session(guarded, await make_user(guarded))
    return await _good_of(guarded, str(others.session.id))


async def verdict(services: Services, token: str) -> str:
    found = await services.sessions.authenticate(token)
    return "live" if isinstance(found, SignedIn) else found


@pytest.mark.one_database
@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_refused(guarded: Services, good: Good, name: str):
    """SEC-019, SEC-020, SEC-021, SEC-022, SEC-023, SEC-024"""
    token = FORGERIES[name](good)
    assert token != good.token
    assert await verdict(guarded, token) == "invalid"
    assert await verdict(guarded, good.token) == "live"
    assert await verdict(guarded, token) == "invalid"
    assert await verdict(guarded, good.token) == "live"


async def test_the_means_of_forging_make_good_tokens_when_nothing_is_wrong(guarded, good):
    """What the forgeries differ by is what they are refused for."""
    assert await verdict(guarded, good.signed()) == "live"
    assert await verdict(guarded, good.headed()) == "live"
    assert await verdict(guarded, good.claiming(extra={"a": [1.5, None]})) == "live"
    assert await verdict(guarded, good.claiming(aud=["other", AUDIENCE])) == "live"
    assert await verdict(guarded, good.claiming(iat=good.claims["iat"] + 60)) == "live"
    assert await verdict(guarded, good.claiming(nbf=good.claims["iat"] + 60)) == "live"


async def test_the_longest_token_is_read_and_one_more_character_is_not(guarded, good):
    """SEC-021"""
    lengths = {}
    room = MAX_TOKEN - len(good.token)
    for padding in range(room // 4 * 3 - 60, room // 4 * 3 + 20):
        token = good.claiming(padding="x" * padding)
        lengths[len(token)] = await verdict(guarded, token)
    fitting = {length for length, found in lengths.items() if found == "live"}
    assert max(fitting) in (MAX_TOKEN, MAX_TOKEN - 1)
    assert {found for length, found in lengths.items() if length > MAX_TOKEN} == {"invalid"}
    assert all(length <= MAX_TOKEN for length in fitting)


@settings(max_examples=60)
@given(place=st.integers(0, 63), mask=st.integers(1, 255))
async def test_no_altered_byte_of_a_signature_passes(guarded, good, place, mask):
    """SEC-019"""
    signature = bytearray(_raw(good.parts()[2]))
    signature[place] ^= mask
    token = ".".join((*good.parts()[:2], _b64(bytes(signature)).decode()))
    assert await verdict(guarded, token) == "invalid"


@settings(max_examples=120)
@given(data=st.data())
async def test_no_altered_character_of_a_token_passes(guarded, good, data):
    """SEC-019, SEC-021"""
    place = data.draw(st.integers(0, len(good.token) - 1))
    other = data.draw(st.characters().filter(lambda one: one != good.token[place]))
    token = good.token[:place] + other + good.token[place + 1 :]
    assert await verdict(guarded, token) == "invalid"


@settings(max_examples=80)
@given(token=st.text(max_size=60) | st.from_regex(r"eyJ[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}"))
async def test_no_text_is_a_token_and_none_raises(guarded, token):
    """SEC-021"""
    assert await verdict(guarded, token) == "invalid"


async def test_other_spellings_of_a_token_die_with_its_session(guarded, good):
    """SEC-021, SEC-024: a revocation is of the session, never of a text."""
    header, payload, signature = good.parts()
    raw = _raw(signature)
    mirrored = (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    twin = f"{header}.{payload}.{_b64(raw[:32] + mirrored).decode()}"
    spellings = [twin, good.signed(), good.claiming(extra=1)]
    assert [await verdict(guarded, token) for token in spellings] == ["live"] * 3
    found = await guarded.sessions.authenticate(good.token)
    await guarded.sessions.end(SYSTEM, found.account.id, found.session.id, "user_logged_out")
    for token in (good.token, *spellings):
        assert await verdict(guarded, token) == "revoked"


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
async def test_a_key_of_each_algorithm_refuses_the_others(services, algorithm):
    """SEC-019"""
    await fetch("DELETE FROM signing_key")
    secrets = Secrets(key_management=KeyManagement(algorithm=algorithm))
    other = assemble(replace(services.config, secrets=secrets), clock=services.clock)
    await other.signing_keys.load()
    good = await _good_of(other, "")
    header, claims, pair, jwk = good.header, good.claims, good.pair, good.jwk
    assert header["alg"] == algorithm
    assert await verdict(other, good.token) == "live"
    pem = pair.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forgeries = [
        good.headed(alg="none"),
        *(good.headed(alg=alg) for alg in ("ES256", "PS256", "RS512", "HS256")),
        *(good.signed(header | {"alg": one.algorithm}, None, one) for one in ATTACKERS.values()),
    ]
    for key in (pem, json.dumps(jwk).encode(), b""):
        signing = _segment(header | {"alg": "HS256"}) + b"." + _segment(claims)
        digest = hmac.new(key, signing, hashlib.sha256).digest()
        forgeries.append((signing + b"." + _b64(digest)).decode())
    for token in forgeries:
        assert await verdict(other, token) == "invalid"
    assert await verdict(other, good.token) == "live"


@pytest.mark.one_database
async def test_the_table_holds_for_every_key_of_a_rotation(guarded, good, clock):
    """SEC-019, SEC-020, SEC-021, SEC-022, SEC-023"""
    clock.advance(seconds=1)
    await guarded.signing_keys.rotate(SYSTEM, now=True)
    later = await _good_of(guarded, good.others_session)
    assert later.header["kid"] != good.header["kid"]
    for one, other in ((good, later), (later, good)):
        for name, forgery in FORGERIES.items():
            assert await verdict(guarded, forgery(one)) == "invalid", name
        for token in (
            one.headed(kid=other.header["kid"]),
            one.signed(pair=other.pair),
            one.signed(one.header | {"alg": "EdDSA"}, None, ATTACKERS["EdDSA"]),
        ):
            assert await verdict(guarded, token) == "invalid"
        assert await verdict(guarded, one.token) == "live"


@pytest.mark.one_database
async def test_keys_of_several_algorithms_do_not_stand_in_for_each_other(guarded, good, clock):
    """SEC-019"""
    found = [good]
    for algorithm in ("EdDSA", "RS256"):
        secrets = Secrets(key_management=KeyManagement(algorithm=algorithm))
        following = assemble(replace(guarded.config, secrets=secrets), clock=clock)
        await following.signing_keys.load()
        clock.advance(seconds=1)
        await following.signing_keys.rotate(SYSTEM, now=True)
        found.append(await _good_of(following, good.others_session))
    for one in found:
        assert await verdict(following, one.token) == "live"
        for other in found:
            if one is not other:
                swaps = ({"alg": other.header["alg"]}, {"kid": other.header["kid"]}, other.header)
                for swap in swaps:
                    for pair in (one.pair, other.pair):
                        if swap is other.header and pair is other.pair:
                            continue  # that is a good token of the other key
                        token = one.signed(one.header | swap, None, pair)
                        assert await verdict(following, token) == "invalid"


async def _good_of(services: Services, others_session: str) -> Good:
    """A good token of the key that signs now."""
    issued = await make_session(services, await make_user(services))
    header, claims = (json.loads(_raw(part)) for part in issued.token.split(".")[:2])
    pair = services.signing_keys.reader.ring.active
    jwk = next(k for k in services.signing_keys.jwks()["keys"] if k["kid"] == header["kid"])
    return Good(issued.token, pair, others_session, jwk, header, claims)
