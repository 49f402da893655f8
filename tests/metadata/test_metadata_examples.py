"""The worked examples of the metadata page, row by row, under both rule sets (SEC-005…007).

Where the two reference products pull apart, our decision stands: strict RFC 7396 on every face,
arrays verbatim (rows 22-25), numbers exactly as sent (35-37), a key twice refused (30-33), escapes
decoded and none counted that the server would add (40-43), at most 32 levels (55, 56).
"""

from dataclasses import dataclass
from uuid import UUID

import pytest
from factories import make_user

from app import strictjson
from app.access import SYSTEM
from app.assembly import Services
from app.config import sections
from app.metadata import Bag, BagChanges, Metadata, MetadataRefused, Mode

FACES = frozenset({8, 9, 34, 50, 51, 52, 53, 54, 71, 72, 73, 74})
"""Rows about the bodies of requests (their envelope, its names, trailing text); the tests of the
faces hold them."""

BOTH = ("hanko", "torii")
NOT_JSON = "not_json"
NOT_AN_OBJECT = "metadata_not_an_object"
INVALID = "metadata_invalid"
TOO_LARGE = "metadata_too_large"


@dataclass(frozen=True)
class Example:
    """A bag before, a patch as it is sent, and the bag after or the code of the refusal.

    A text stands for the public bag; a dict names the bags. `size` is what the row states the bag
    after measures, in characters and in bytes.
    """

    row: int
    patch: str | dict[str, str]
    before: str | dict[str, str]
    after: str | dict[str, str]
    rules: tuple[str, ...] = BOTH
    size: tuple[int | None, int | None] = (None, None)


def each_bag(row: int, patch: str, rules: str, **outcomes: str) -> list[Example]:
    """The same patch on an empty bag of each kind; what is not refused is stored as sent."""
    return [
        Example(row, {bag: patch}, {bag: "{}"}, {bag: patch} if after == "ok" else after, (rules,))
        for bag, after in outcomes.items()
    ]


def long(text: str, times: int, key: str = "a") -> str:
    return f'{{"{key}":"{text * times}"}}'


def nested(levels: int) -> str:
    return '{"d":' * levels + "1" + "}" * levels


ARRAY = '[null,{"q":null,"r":1}]'
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

EXAMPLES = [
    Example(1, '{"a":1}', "{}", '{"a":1}', size=(7, 7)),
    Example(2, '{"a":3}', '{"a":1,"b":2}', '{"a":3,"b":2}'),
    Example(3, '{"b":null}', '{"a":1,"b":2}', '{"a":1}'),
    Example(4, '{"zzz":null}', '{"a":1}', '{"a":1}'),
    Example(5, '{"a":null}', '{"a":1}', "{}"),
    Example(6, "null", '{"a":1}', "{}"),
    Example(7, "{}", '{"a":1}', '{"a":1}'),
    Example(
        10,
        {"public": '{"a":1}', "private": "null", "unsafe": "{}"},
        {"public": '{"n":1}', "private": '{"s":1}', "unsafe": '{"t":1}'},
        {"public": '{"n":1,"a":1}', "private": "{}", "unsafe": '{"t":1}'},
    ),
    Example(11, '{"a":{"y":null,"z":3}}', '{"a":{"x":1,"y":2}}', '{"a":{"x":1,"z":3}}'),
    Example(12, '{"a":{"x":null}}', '{"a":{"x":1}}', '{"a":{}}'),
    Example(13, '{"a":{}}', '{"a":{"x":1}}', '{"a":{"x":1}}'),
    Example(14, '{"a":{"x":null,"y":2}}', '{"a":1}', '{"a":{"y":2}}'),
    Example(15, '{"n":{"x":null,"y":{"z":null}}}', "{}", '{"n":{"y":{}}}'),
    Example(16, '{"n":{"x":null}}', '{"a":1}', '{"a":1,"n":{}}'),
    Example(17, '{"a":[4]}', '{"a":[1,2,3]}', '{"a":[4]}'),
    Example(18, '{"a":[]}', '{"a":[1,2,3]}', '{"a":[]}'),
    Example(19, '{"a":{"k":1}}', '{"a":[1]}', '{"a":{"k":1}}'),
    Example(20, '{"a":{"k":null,"m":1}}', '{"a":[1]}', '{"a":{"m":1}}'),
    Example(21, '{"a":[1]}', '{"a":{"k":1}}', '{"a":[1]}'),
    Example(22, f'{{"a":{ARRAY}}}', '{"a":{"k":1}}', f'{{"a":{ARRAY}}}'),
    Example(23, f'{{"a":{ARRAY}}}', '{"a":[1]}', f'{{"a":{ARRAY}}}'),
    Example(24, f'{{"a":{ARRAY}}}', '{"z":1}', f'{{"z":1,"a":{ARRAY}}}'),
    Example(25, '{"a":[null,[null,{"t":null}]]}', '{"a":[1]}', '{"a":[null,[null,{"t":null}]]}'),
    Example(26, '{"a":{"k":1}}', '{"a":"s"}', '{"a":{"k":1}}'),
    Example(27, '{"a":"s"}', '{"a":{"k":1}}', '{"a":"s"}'),
    Example(28, '{"a":"true"}', '{"a":true}', '{"a":"true"}'),
    Example(29, '{"a":null,"b":{"c":null}}', "{}", '{"b":{}}'),
    Example(30, '{"k":1,"k":2}', '{"a":1}', NOT_JSON),
    Example(31, '{"k":1,"k":null}', '{"a":1}', NOT_JSON),
    Example(32, '{"k":null,"k":1}', '{"a":1}', NOT_JSON),
    Example(33, '{"d":{"x":1,"x":2}}', '{"n":1}', NOT_JSON),
    Example(
        35,
        '{"big":12345678901234567890123456789}',
        '{"n":1}',
        '{"n":1,"big":12345678901234567890123456789}',
        size=(43, 43),
    ),
    Example(36, '{"i":9007199254740993}', "{}", '{"i":9007199254740993}'),
    Example(37, '{"f":1.10,"g":1E5,"z":-0}', "{}", '{"f":1.10,"g":1E5,"z":-0}'),
    Example(38, '{"e":1e400}', "{}", NOT_JSON),
    Example(
        39,
        '{"a b":"c   d", "x" : [ 1 , 2 ] }',
        '{"n":1}',
        '{"n":1,"a b":"c   d","x":[1,2]}',
        size=(31, 31),
    ),
    Example(40, '{"h":"<b>&amp;</b>"}', '{"n":1}', '{"n":1,"h":"<b>&amp;</b>"}', size=(26, 26)),
    Example(
        41,
        r'{"e":"é \u00e9 😀 \ud83d\ude00"}',
        '{"n":1}',
        '{"n":1,"e":"é é 😀 😀"}',
        size=(21, 29),
    ),
    Example(42, f'{{"fam":"{FAMILY}"}}', '{"n":1}', f'{{"n":1,"fam":"{FAMILY}"}}', size=(21, 34)),
    Example(43, '{"ls":"\u2028"}', '{"n":1}', '{"n":1,"ls":"\u2028"}', size=(16, 18)),
    Example(44, '{"":1," ":2}', '{"n":1}', '{"n":1,"":1," ":2}'),
    Example(45, '{"a.b":1,"a":{"b":2}}', '{"n":1}', '{"n":1,"a.b":1,"a":{"b":2}}'),
    Example(46, '{"é":"é","日本":"語"}', '{"a":1}', '{"a":1,"é":"é","日本":"語"}', size=(24, 32)),
    Example(47, "[]", '{"n":1}', NOT_AN_OBJECT),
    Example(48, '"x"', '{"n":1}', NOT_AN_OBJECT),
    *(Example(49, patch, '{"n":1}', NOT_AN_OBJECT) for patch in ("5", "true", "false")),
    *(Example(55, {bag: nested(200)}, {}, NOT_JSON) for bag in ("public", "private")),
    Example(56, nested(11_000), "{}", NOT_JSON),
    *each_bag(57, long("x", 2992), "hanko", public="ok", private="ok", unsafe="ok"),
    *each_bag(57, long("x", 2992), "torii", public=TOO_LARGE, private="ok", unsafe=TOO_LARGE),
    *each_bag(58, long("x", 2993), "hanko", public=TOO_LARGE, private=TOO_LARGE, unsafe=TOO_LARGE),
    *each_bag(58, long("x", 2993), "torii", public=TOO_LARGE, private="ok", unsafe=TOO_LARGE),
    *each_bag(59, long("😀", 2992), "hanko", public="ok", private="ok", unsafe="ok"),
    *each_bag(59, long("😀", 2992), "torii", public=TOO_LARGE, private=TOO_LARGE, unsafe=TOO_LARGE),
    *each_bag(60, long("<", 500), "hanko", public="ok"),
    *each_bag(60, long("<", 500), "torii", public="ok"),
    *each_bag(61, long("x", 504), "hanko", public="ok"),
    *each_bag(61, long("x", 504), "torii", public="ok"),
    *each_bag(62, long("x", 505), "hanko", public="ok"),
    *each_bag(62, long("x", 505), "torii", public=TOO_LARGE),
    *each_bag(63, long("😀", 126), "hanko", public="ok"),
    *each_bag(63, long("😀", 127), "hanko", public="ok"),
    *each_bag(63, long("😀", 126), "torii", public="ok"),
    *each_bag(63, long("😀", 127), "torii", public=TOO_LARGE),
    *each_bag(64, long("é", 252), "hanko", public="ok"),
    *each_bag(64, long("é", 253), "hanko", public="ok"),
    *each_bag(64, long("é", 252), "torii", public="ok"),
    *each_bag(64, long("é", 253), "torii", public=TOO_LARGE),
    *each_bag(65, long("x", 4088), "hanko", private=TOO_LARGE),
    *each_bag(65, long("x", 4089), "hanko", private=TOO_LARGE),
    *each_bag(65, long("x", 4088), "torii", private="ok"),
    *each_bag(65, long("x", 4089), "torii", private=TOO_LARGE),
    Example(66, long("x", 2000, "b"), long("y", 2000), TOO_LARGE, ("hanko",)),
    Example(66, long("x", 300, "b"), long("y", 300), TOO_LARGE, ("torii",)),
    Example(
        67,
        {"public": '{"a":1}', "private": long("x", 5000)},
        {"public": '{"n":1}', "private": '{"n":1}'},
        TOO_LARGE,
    ),
    Example(68, r'{"a":"\u0000"}', '{"b":1}', INVALID),
    Example(69, r'{"a":"\ud800"}', '{"b":1}', INVALID),
    Example(70, '{"b":1}', '{"a":null}', '{"a":null,"b":1}'),
    Example(
        75,
        {"unsafe": '{"theme":"dark"}'},
        {"unsafe": '{"lang":"en"}'},
        {"unsafe": '{"lang":"en","theme":"dark"}'},
    ),
    Example(
        75,
        {"unsafe": '{"theme":null}'},
        {"unsafe": '{"lang":"en","theme":"dark"}'},
        {"unsafe": '{"lang":"en"}'},
    ),
    Example(
        76,
        {"public": '{"plan":"pro","role":"admin"}', "private": '{"stripeId":"cus_123"}'},
        {},
        {"public": '{"plan":"pro","role":"admin"}', "private": '{"stripeId":"cus_123"}'},
    ),
]

CASES = [
    pytest.param(example, rules, id=f"row-{example.row:02}-{rules}")
    for example in EXAMPLES
    for rules in example.rules
]


@pytest.mark.parametrize(("example", "rules"), CASES)
async def test_a_worked_example_holds(services: Services, example: Example, rules: str):
    """SEC-005, SEC-006, SEC-007"""
    metadata = Metadata(sections.UserMetadata(limits=rules), services.templates, services.audit)
    user = await make_user(services)
    before = {"public": "{}", "private": "{}", "unsafe": "{}"} | _bags(example.before)
    await _change(metadata, user.id, before, Mode.REPLACE)
    outcome = await _change(metadata, user.id, _bags(example.patch))
    stored = await _stored(services, user.id)
    if isinstance(example.after, str) and not example.after.startswith("{"):
        assert (outcome, stored) == (example.after, before)
    else:
        assert (outcome, stored) == ("ok", before | _bags(example.after))


@pytest.mark.parametrize("example", [one for one in EXAMPLES if any(one.size)])
def test_a_bag_measures_what_the_row_states(example: Example):
    """SEC-007: code points of the compact text, or bytes of it, without escapes of our own."""
    (after,) = _bags(example.after).values()
    assert (len(after), len(after.encode())) == example.size


def test_every_row_is_held_here_or_by_the_faces():
    assert {example.row for example in EXAMPLES} | FACES == set(range(1, 77))
    assert not {example.row for example in EXAMPLES} & FACES


def _bags(texts: str | dict[str, str]) -> dict[str, str]:
    return {"public": texts} if isinstance(texts, str) else texts


async def _change(
    metadata: Metadata, user_id: UUID, texts: dict[str, str], mode: Mode = Mode.MERGE
) -> str:
    """Send the texts as a request does: parsed strictly, then applied."""
    try:
        changes = {bag: strictjson.parse(text.encode()) for bag, text in texts.items()}
        await metadata.change(SYSTEM, user_id, BagChanges(**changes), mode=mode)
    except strictjson.NotJson:
        return NOT_JSON
    except MetadataRefused as refused:
        return refused.code
    return "ok"


async def _stored(services: Services, user_id: UUID) -> dict[str, str]:
    seen = (await services.metadata.of([user_id]))[user_id]
    private = (await services.metadata.private_of([user_id]))[user_id]
    texts = {Bag.PUBLIC: seen.public, Bag.PRIVATE: private, Bag.UNSAFE: seen.unsafe}
    return {bag.value: text for bag, text in texts.items()}
