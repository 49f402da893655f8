"""Durations and addresses to listen on."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.config import parse_listener
from app.config.values import parse_duration, print_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0", timedelta(0)),
        ("+0", timedelta(0)),
        ("-0", timedelta(0)),
        ("12h", timedelta(hours=12)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("1.s", timedelta(seconds=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("1h2m3s4ms5us", timedelta(hours=1, minutes=2, seconds=3, milliseconds=4, microseconds=5)),
        ("7µs", timedelta(microseconds=7)),
        ("7μs", timedelta(microseconds=7)),
        ("1000ns", timedelta(microseconds=1)),
        ("-90m", timedelta(minutes=-90)),
        ("+5s", timedelta(seconds=5)),
        (" 5s ", timedelta(seconds=5)),
        ("720h", timedelta(days=30)),
        ("1m1m", timedelta(minutes=2)),
    ],
)
def test_a_duration_is_numbers_with_units(text, span):
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "12",
        "h",
        "1d",
        "1w",
        "1 h",
        "1h 30m",
        "1,5h",
        "--1h",
        "1h-30m",
        "+-1h",
        "1H",
        "NaNs",
        "infs",
        "1e3s",
        "0x5s",
        "٣h٣",
        "s5",
        "1hh",
        "." + "s",
        "-",
        "+",
        "99999999h",
        "1" * 64 + "h",
        "9999999999999999h",
        "1h" * 40,
        "\0",
    ],
)
def test_anything_else_is_none(text):
    with pytest.raises(ValueError, match=r"duration|thousand years"):
        parse_duration(text)


@given(st.text(max_size=70) | st.from_regex(r"[-+]?(\d{1,20}(\.\d*)?(ns|ms|s|m|h)){1,5}"))
@example("9" * 60 + "h")
def test_no_text_raises_anything_else(text):
    try:
        span = parse_duration(text)
    except ValueError:
        return
    assert abs(span) <= timedelta(days=365 * 1000 + 1)


@given(st.integers(-(10**13), 10**13))
def test_what_is_printed_is_read_back(microseconds):
    span = timedelta(microseconds=microseconds)
    assert parse_duration(print_duration(span)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(hours=12), "12h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=61), "61s"),
        (timedelta(milliseconds=1500), "1500ms"),
        (timedelta(microseconds=1500), "1500us"),
        (timedelta(minutes=-90), "-90m"),
    ],
)
def test_a_duration_is_printed_in_its_largest_whole_unit(span, text):
    assert print_duration(span) == text
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (":8000", ("", 8000)),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:443", ("::1", 443)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_a_listener_is_a_host_and_a_port(text, place):
    assert parse_listener(text) == place


@pytest.mark.parametrize("text", ["", "8000", ":", "a:b", ":70000", ":²", ":٣"])
def test_a_listener_without_a_port_is_refused(text):
    with pytest.raises(ValueError, match="no address"):
        parse_listener(text)
