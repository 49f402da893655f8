"""Password hashes as text: what is read, what is refused, and that the right password matches."""

import base64
import hashlib

import bcrypt
import pytest
from argon2.low_level import Type, hash_secret
from hypothesis import assume, given
from hypothesis import strategies as st

from app.credentials.errors import PasswordHashInvalid
from app.credentials.password_formats import MAX_MEMORY, MAX_TEXT, Argon2Hash, parse

SIGNER = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
FIREBASE = (
    f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={SIGNER}$42xEC+ixf3L2lw==$"
    "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
)
OTHER_FIREBASE = (
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0"
    "/c41v8xZnO1n14J3MjKj1b2g6AUCAlFwMw==$C0sHCg9ek77hsg==$zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p"
    "6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM5tQaJP84+hfTw=="
)
BCRYPT_TAIL = "05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


def written(salt: bytes, digest: str) -> str:
    """A salt and a digest, as a hash's text ends."""
    parts = (salt, bytes.fromhex(digest))
    return "$".join(base64.b64encode(part).decode().rstrip("=") for part in parts)


KNOWN = [  # published by others, each with its password
    (FIREBASE, "user1password"),
    (OTHER_FIREBASE, "mytestpassword"),
    (f"$2a${BCRYPT_TAIL}", "U*U"),
    (f"$2b${BCRYPT_TAIL}", "U*U"),
    (f"$2y${BCRYPT_TAIL}", "U*U"),
    ("$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U"),
    (
        "$scrypt$ln=16,r=8,p=1$cmFuZG9tc2FsdGlzaGFyZA$Rh+NnJNo1I6nRwaNqbDm6kmADswD1+7FTKZ7Ln9D8nQ",
        "password",
    ),
    (  # RFC 7914 §12
        "$scrypt$ln=14,r=8,p=1$"
        + written(
            b"SodiumChloride",
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
        ),
        "pleaseletmein",
    ),
    (
        "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44",
        "password",
    ),
    (
        "$pbkdf2-sha512$4096$"
        + written(
            b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
            "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71"
            "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8",
        ),
        "passwordPASSWORDpassword",
    ),
    (
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "password",
    ),
    (
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        "password",
    ),
    (
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "password",
    ),
]
SALT = "c2FsdHNhbHRzYWx0"
DIGEST = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
PADDED = f"{DIGEST}="


@pytest.mark.parametrize(("text", "password"), KNOWN)
def test_a_hash_that_others_have_made_matches_its_password_alone_sec_034(text, password):
    stored = parse(text)
    assert not stored.is_costly
    assert stored.matches(password.encode())
    for wrong in (password + "x", password[:-1], password.upper(), ""):
        assert wrong == password or not stored.matches(wrong.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "password",
        "$",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "$6$saltsalt$abcdef",
        "{SSHA}abc",
        f"$argon2d$v=19$m=65536,t=2,p=1${SALT}${DIGEST}",
        f"$argon2id$v=18$m=65536,t=2,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=065536,t=2,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=65536,t=0,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=65536,t=2,p=0${SALT}${DIGEST}",
        f"$argon2id$v=19$m=65536,t=2,p=17${SALT}${DIGEST}",
        f"$argon2id$v=19$m=15,t=2,p=2${SALT}${DIGEST}",
        f"$argon2id$v=19$m=-1,t=2,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$t=2,m=65536,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=65536,t=2,p=1,data=AAAA${SALT}${DIGEST}",
        f"$argon2id$v=19$m=65536,t=2,p=1$c2FsdA${DIGEST}",
        f"$argon2id$v=19$m=65536,t=2,p=1${SALT}$MTIzNDU2",
        f"$argon2id$v=19$m=65536,t=2,p=1${SALT}${DIGEST}=",
        f"$argon2id$v=19$m=65536,t=2,p=1${SALT}${DIGEST[:-1]}J",  # bits that nobody reads
        f"$argon2id$v=19$m=65536,t=2,p=1${SALT}${DIGEST}\n",
        f" $argon2id$v=19$m=65536,t=2,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=６５５３６,t=2,p=1${SALT}${DIGEST}",  # noqa: RUF001  # digits, but not ours
        f"$2x${BCRYPT_TAIL}",
        f"$2${BCRYPT_TAIL}",
        f"$2a${BCRYPT_TAIL[:-1]}",
        f"$2a${BCRYPT_TAIL}.",
        f"$2a${BCRYPT_TAIL[:-1]}X",
        f"$2a$03{BCRYPT_TAIL[2:]}",
        f"$2a$32{BCRYPT_TAIL[2:]}",
        f"$2a$5{BCRYPT_TAIL[2:]}",
        f"$scrypt$ln=0,r=8,p=1${SALT}${DIGEST}",
        f"$scrypt$ln=16,r=1,p=1${SALT}${DIGEST}",
        f"$scrypt$ln=14,r=33,p=1${SALT}${DIGEST}",
        f"$scrypt$ln=14,r=8,p=17${SALT}${DIGEST}",
        f"$scrypt$ln=14,r=8${SALT}${DIGEST}",
        f"$scrypt$ln=14,r=8,p=1${SALT}$",
        f"$scrypt$ln=14,r=8,p=1$${DIGEST}",
        f"$pbkdf2-sha1$20000${SALT}${DIGEST}",
        f"$pbkdf2$20000${SALT}${DIGEST}",
        f"$pbkdf2-sha256$0${SALT}${DIGEST}",
        f"$pbkdf2-sha256$i=20000,l=64${SALT}${DIGEST}",
        f"$pbkdf2-sha256$20000$c2FsdA${DIGEST}",
        f"$fbscrypt$v=2,n=14,r=8,p=1,ss=Bw==,sk={PADDED}${SALT}${PADDED}",
        f"$fbscrypt$v=1,n=0,r=8,p=1,ss=Bw==,sk={PADDED}${SALT}${PADDED}",
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==${SALT}${PADDED}",  # no key: nothing could match
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${SALT}$",  # everything would match
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==${SALT}$",
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={SIGNER}${SALT}${PADDED}",
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw,sk={PADDED}${SALT}${PADDED}",
        FIREBASE.replace("+", "-"),
        f"$argon2id$v=19$m=65536,t=2,p=1${SALT}${'A' * MAX_TEXT}",
    ],
)
def test_what_is_in_no_listed_format_is_refused_sec_115(text):
    with pytest.raises(PasswordHashInvalid) as refused:
        parse(text)
    assert refused.value.path == ("password_hash",)
    assert str(refused.value) == PasswordHashInvalid.message


@pytest.mark.parametrize(
    "text",
    [
        f"$argon2id$v=19$m={MAX_MEMORY + 1},t=1,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m={MAX_MEMORY},t=11,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=8,t=1000000,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=4294967295,t=4294967295,p=1${SALT}${DIGEST}",
        f"$2b$15{BCRYPT_TAIL[2:]}",
        f"$2b$31{BCRYPT_TAIL[2:]}",
        f"$scrypt$ln=17,r=8,p=1${SALT}${DIGEST}",
        f"$scrypt$ln=16,r=8,p=5${SALT}${DIGEST}",
        f"$scrypt$ln=99,r=32,p=16${SALT}${DIGEST}",
        f"$pbkdf2-sha256$2000001${SALT}${DIGEST}",
        f"$pbkdf2-sha256$1500000${SALT}${DIGEST}{DIGEST[:20]}"[:-1] + "A",
        f"$pbkdf2-sha512$i=9999999999${SALT}${DIGEST}",
        f"$fbscrypt$v=1,n=17,r=8,p=1,ss=Bw==,sk={PADDED}${SALT}${PADDED}",
        f"$fbscrypt$v=1,n=62,r=8,p=1,ss=Bw==,sk={PADDED}${SALT}${PADDED}",
    ],
)
def test_a_hash_that_would_burn_the_machine_is_told_as_such_sec_115(text):
    assert parse(text).is_costly


@pytest.mark.parametrize(
    "text",
    [
        f"$argon2id$v=19$m={MAX_MEMORY},t=8,p=4${SALT}${DIGEST}",
        f"$2b$14{BCRYPT_TAIL[2:]}",
        f"$argon2id$v=19$m=102400,t=2,p=8${SALT}${DIGEST}",
        f"$scrypt$ln=16,r=8,p=1${SALT}${DIGEST}",
        f"$scrypt$ln=14,r=16,p=1${SALT}${DIGEST}",
        f"$scrypt$ln=14,r=8,p=5${SALT}${DIGEST}",
        f"$pbkdf2-sha256$i=1200000,l=32${SALT}${DIGEST}",
        f"$fbscrypt$v=1,n=14,r=8,p=1,sk={PADDED}${SALT}${PADDED}",
    ],
)
def test_what_is_customary_elsewhere_is_not_too_costly(text):
    assert not parse(text).is_costly


def test_a_hash_does_not_show_itself_sec_116():
    for text, _ in KNOWN:
        shown = repr(parse(text))
        for part in text.split("$")[-2:]:
            assert part not in shown
        assert "=b'" not in shown


def test_bcrypt_reads_72_bytes_as_everywhere():
    """SEC-035 holds for what is hashed here; another system's hash vouches for no more."""
    password = b"x" * 72
    stored = parse(bcrypt.hashpw(password, bcrypt.gensalt(4)).decode())
    assert stored.matches(password)
    assert stored.matches(password + b"y")
    assert not stored.matches(password[:-1])


def test_bcrypt_salts_with_stray_bits_are_read_as_everybody_reads_them():
    text = bcrypt.hashpw(b"password", b"$2b$04$" + b"." * 22).decode()
    stray = text[:28] + "/" + text[29:]
    assert parse(stray).matches(b"password")


@given(
    st.binary(max_size=100),
    st.integers(1, 4),
    st.sampled_from(["i", "id"]),
    st.binary(min_size=8, max_size=64),
    st.integers(16, 64),
)
def test_argon2_is_read_as_the_library_writes_it_sec_034(password, passes, kind, salt, size):
    made = hash_secret(password, salt, passes, 16, 2, size, Type.ID if kind == "id" else Type.I)
    stored = parse(made.decode())
    assert isinstance(stored, Argon2Hash)
    assert (stored.kind, stored.version, stored.memory) == (kind, 19, 16)
    assert (stored.passes, stored.lanes) == (passes, 2)
    assert (stored.salt_size, stored.digest_size) == (len(salt), size)
    assert stored.matches(password)
    assert not stored.matches(password + b"x")


@given(
    st.binary(max_size=100),
    st.sampled_from(["sha256", "sha512"]),
    st.integers(1, 50),
    st.binary(min_size=8, max_size=64),
    st.integers(16, 64),
    st.booleans(),
)
def test_pbkdf2_is_read_in_both_spellings(  # noqa: PLR0917  # drawn
    password, name, rounds, salt, size, dotted
):
    digest = hashlib.pbkdf2_hmac(name, password, salt, rounds, size)
    parts = [base64.b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    text = f"$pbkdf2-{name}${rounds}$" if dotted else f"$pbkdf2-{name}$i={rounds},l={size}$"
    text += "$".join(part.replace("+", ".") if dotted else part for part in parts)
    assert parse(text).matches(password)
    assert not parse(text).matches(password + b"x")


@given(
    st.binary(max_size=100),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.binary(min_size=8, max_size=64),
    st.integers(16, 64),
)
def test_scrypt_is_read_as_others_write_it(  # noqa: PLR0917  # drawn
    password, log_n, r, p, salt, size
):
    digest = hashlib.scrypt(password, salt=salt, n=2**log_n, r=r, p=p, dklen=size)
    parts = [base64.b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    stored = parse(f"$scrypt$ln={log_n},r={r},p={p}$" + "$".join(parts))
    assert stored.matches(password)
    assert not stored.matches(password + b"x")


@given(st.text() | st.text(alphabet="$=,mtplnrvsk0129abidcryptfx/+.AB", max_size=200))
def test_any_other_text_is_refused_and_nothing_else_happens_sec_115(text):
    try:
        stored = parse(text)
    except PasswordHashInvalid:
        return
    assert text.isascii()
    assert isinstance(stored.is_costly, bool)


@given(st.sampled_from([text for text, _ in KNOWN]), st.data())
def test_a_hash_with_one_character_changed_is_refused_or_matches_no_more(text, data):
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters()) + text[place + 1 :]
    assume(changed != text)
    try:
        stored = parse(changed)
    except PasswordHashInvalid:
        return
    if changed.startswith("$2") or stored.is_costly:
        return  # the letter of bcrypt's version says nothing, nor do a salt's last bits
    password = dict(KNOWN)[text]
    assert place in range(len("$scrypt$ln=")) or not stored.matches(password.encode())
