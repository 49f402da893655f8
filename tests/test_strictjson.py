"""The one JSON parser and the one printer (SEC-105)."""

# ruff: noqa: RUF001  # letters that only look alike are the matter here

import contextlib
import json
import math
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.strictjson import (
    ENVELOPE_DEPTH,
    MAX_DEPTH,
    NotJson,
    canonical,
    depth,
    encode,
    encode_bytes,
    exact_number,
    has_more_than,
    parse,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


class TestParse:
    @given(values)
    def test_a_value_comes_back_as_it_was_written(self, value):
        assert parse(json.dumps(value).encode()) == value
        assert parse(encode_bytes(value)) == value

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b" \n", id="blank"),
            pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte order mark"),
            pytest.param('{"a":1}'.encode("utf-16"), id="utf-16"),
            pytest.param(b'{"a":"\xff"}', id="not utf-8"),
            pytest.param(b'"\xc0\xaf"', id="overlong"),
            pytest.param(b'"\xed\xa0\x80"', id="surrogate in utf-8"),
            pytest.param(b'{"a":1,"a":1}', id="a key twice"),
            pytest.param(b'{"a":1,"\\u0061":2}', id="a key twice by an escape"),
            pytest.param(b'[{"x":{"a":null,"b":1,"a":2}}]', id="a key twice deeper"),
            pytest.param(b"NaN", id="NaN"),
            pytest.param(b'{"a":Infinity}', id="Infinity"),
            pytest.param(b"[-Infinity]", id="-Infinity"),
            pytest.param(b"1e400", id="beyond a double"),
            pytest.param(b"-1e400", id="below a double"),
            pytest.param(b"1e-20000", id="an exponent that PostgreSQL cannot compute with"),
            pytest.param(b"0e99999", id="nought to a great power"),
            pytest.param(b"1" * 400, id="an integer beyond a double"),
            pytest.param(b"0." + b"1" * 5000, id="too many digits"),
            pytest.param(b"1e" + b"9" * 5000, id="too many digits of an exponent"),
            pytest.param(b'{"a":1} x', id="trailing text"),
            pytest.param(b'{"a":1}{"a":1}', id="two values"),
            pytest.param(b'{"a":1,}', id="trailing comma"),
            pytest.param(b"[1,]", id="trailing comma in an array"),
            pytest.param(b"{'a':1}", id="single quotes"),
            pytest.param(b"{a:1}", id="bare key"),
            pytest.param(b"01", id="leading zero"),
            pytest.param(b"+1", id="plus sign"),
            pytest.param(b".5", id="no digit before the point"),
            pytest.param(b"1.", id="no digit behind the point"),
            pytest.param(b"0x1F", id="hexadecimal"),
            pytest.param(b"'a'", id="single-quoted text"),
            pytest.param(b'"a\nb"', id="a raw line break in a text"),
            pytest.param(b'"a\x00b"', id="a raw NUL in a text"),
            pytest.param(rb'"\x41"', id="an escape that JSON has not"),
            pytest.param(rb'"\u00"', id="half an escape"),
            pytest.param(b'{"a":1', id="unfinished"),
            pytest.param(b"// c\n1", id="a comment"),
            pytest.param(b"True", id="Python's True"),
            pytest.param("\u00a01".encode(), id="a space that JSON has not"),
            pytest.param("１".encode(), id="a digit of another script"),
            pytest.param(nested(MAX_DEPTH + ENVELOPE_DEPTH + 1), id="too deep"),
            pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, id="far too deep"),
            pytest.param(b"[" * 100_000, id="unfinished and far too deep"),
        ],
    )
    def test_what_is_not_strict_json_is_refused(self, body):
        """SEC-105"""
        with pytest.raises(NotJson):
            parse(body)

    def test_a_refusal_quotes_nothing_of_the_text(self):
        """SEC-116"""
        for body in (b'{"SECRET":1,"SECRET":2}', b'"SECRET', b"[SECRET]", b'"SECRET\xff"'):
            with pytest.raises(NotJson) as refused:
                parse(body)
            assert "SECRET" not in str(refused.value)
            assert refused.value.__cause__ is None

    @pytest.mark.parametrize("shape", ["[%s]", '{"k":%s}', '[{"k":%s}]'])
    def test_the_deepest_value_and_its_envelope_are_read(self, shape):
        body = "1"
        while depth(json.loads(shape % body)) <= MAX_DEPTH + ENVELOPE_DEPTH:
            body = shape % body
        assert depth(parse(body.encode())) > MAX_DEPTH + ENVELOPE_DEPTH - 2
        with pytest.raises(NotJson):
            parse((shape % shape % body).encode())

    def test_brackets_in_texts_are_no_depth(self):
        assert parse(b'"' + b"[{" * 500 + b'"') == "[{" * 500

    def test_a_wide_value_is_not_a_deep_one(self):
        assert parse(b"[" + b"[]," * 500 + b"{}]") == [[]] * 500 + [{}]

    @given(st.binary(max_size=40))
    @example(b"\xf0\x9f\x98")
    def test_no_bytes_whatever_raise_anything_else(self, body):
        _parses_or_refuses(body)

    @given(st.text('[]{}",:0123456789.eE+-\\u dtrufalsn\t\n', max_size=40))
    def test_no_text_that_resembles_json_raises_anything_else(self, text):
        _parses_or_refuses(text.encode())

    @given(st.text("[]{}", max_size=400))
    def test_no_brackets_raise_anything_else(self, text):
        _parses_or_refuses(text.encode())


class TestNumbers:
    @pytest.mark.parametrize(
        "text",
        [
            "1.10",
            "1E5",
            "1e+05",
            "-0",
            "-0.0",
            "0.1",
            "1e308",
            "1e-400",
            "12345678901234567890123456789",
            "9223372036854775808",
            "-9223372036854775809",
            "0." + "1" * 100,
        ],
    )
    def test_a_number_that_a_computer_would_rewrite_stays_text(self, text):
        """Rows 35 to 37 of the metadata page."""
        parsed = parse(f'{{"n":[{text}]}}'.encode())
        assert isinstance(parsed["n"][0], msgspec.Raw)
        assert encode(parsed) == f'{{"n":[{text}]}}'

    @pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
    def test_an_integer_of_64_bits_is_an_integer(self, number):
        """SEC-105"""
        assert type(parse(str(number).encode())) is int
        assert parse(str(number).encode()) == number

    @given(st.decimals(allow_nan=False, allow_infinity=False))
    def test_every_number_comes_back_as_it_was_sent_or_is_refused(self, number):
        text = f"{number:e}" if abs(number.adjusted()) > 300 else f"{number:f}"
        try:
            kept = encode(exact_number(text))
        except NotJson:
            assert not math.isfinite(float(text)) or abs(number.adjusted()) > 400
        else:
            assert kept == text


class TestEncode:
    @given(values)
    def test_what_was_read_is_written_the_same_each_time(self, value):
        once = encode(parse(json.dumps(value, indent=1).encode()))
        assert encode(parse(once.encode())) == once

    def test_only_what_json_demands_is_escaped(self):
        assert encode({"<&>": "\u2028é😀/'"}) == '{"<&>":"\u2028é😀/\'"}'
        assert encode('"\\\n\0') == r'"\"\\\n\u0000"'

    def test_keys_keep_their_order_and_nothing_is_spaced(self):
        assert encode({"b": [1, None, True], "a": {}}) == '{"b":[1,null,true],"a":{}}'


class TestDepth:
    @given(st.integers(0, 2000), st.booleans())
    def test_each_object_and_array_is_a_level(self, levels, objects):
        value = "innermost"
        for _ in range(levels):
            value = {"k": value, "flat": 1} if objects else [1, value]
        assert depth(value) == levels


class TestHasMoreThan:
    @given(values)
    def test_each_value_counts_itself_and_what_it_holds(self, value):
        count = _count(value)
        assert has_more_than(value, count - 1)
        assert not has_more_than(value, count)

    def test_a_wide_value_is_not_walked_to_its_end(self):
        assert has_more_than([[0] * 1000] * 1000, 5)
        assert not has_more_than({}, 1)


class TestCanonical:
    @pytest.mark.parametrize(
        "spellings",
        [
            ("1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000"),
            ("0", "-0", "0.0", "0e5", "-0.00"),
            ("-120", "-1.2e2", "-120.0"),
            ('{"a":1,"b":[2]}', '{"b":[2.0],"a":1}', ' { "b" : [ 20e-1 ] , "a" : 1 } '),
            ('"é"', r'"\u00e9"'),
        ],
    )
    def test_equal_values_become_equal_texts(self, spellings):
        assert len({canonical(text) for text in spellings}) == 1

    @pytest.mark.parametrize(
        ("one", "other"),
        [("1", "true"), ("0", "false"), ('"1"', "1"), ("[1,2]", "[2,1]"), ("null", '"null"')],
    )
    def test_different_values_stay_different(self, one, other):
        assert canonical(one) != canonical(other)

    @given(st.integers(), st.integers(0, 30), st.integers(-30, 30))
    def test_a_number_keeps_its_value(self, digits, zeros, power):
        text = f"{digits}.{'0' * zeros}1e{power}"
        assert Decimal(canonical(text)) == Decimal(text)


def _count(value) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_count, value.values()))
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1


def _parses_or_refuses(body: bytes) -> None:
    with contextlib.suppress(NotJson):
        parse(body)
