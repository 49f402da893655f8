"""One line for each record, whatever it holds (SEC-117), and no value by accident (SEC-116)."""

import io
import json
import logging
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import logs

STARTERS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\x1b\x07\0\u202a\u202e\u2066\u2069\u200e\ufeff"

anything = st.text(st.characters(), max_size=12) | st.text(STARTERS, max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | anything | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(anything, values, max_size=4))
@example({"half a pair": "\ud800", "\udfff": [1, {"deep": "\ud83d"}]})
@example({"huge": 2**80, "id": uuid.UUID(int=7)})
def test_no_value_starts_a_new_line_or_reaches_the_terminal_raw(fields):
    """SEC-117"""
    line = logs.line(fields)
    assert len(line.splitlines()) == 1
    assert not set(line) & set(STARTERS)
    assert line.encode("utf-8")
    assert isinstance(json.loads(line), dict)


@given(st.dictionaries(anything, anything, max_size=4))
def test_a_text_is_read_back_as_it_was(fields):
    assert json.loads(logs.line(fields)) == json.loads(json.dumps(fields))


def test_what_is_no_json_is_written_as_text():
    when = datetime(2026, 1, 2, tzinfo=UTC)
    line = json.loads(logs.line({"id": uuid.UUID(int=1), "at": when, "odd": ValueError("\u202ex")}))
    assert line == {
        "id": "00000000-0000-0000-0000-000000000001",
        "at": "2026-01-02T00:00:00Z",
        "odd": "\u202ex",
    }


@pytest.fixture
def output():
    """What a process that logs would write; the tests' own handlers come back at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().split("\n") if line]


def test_a_record_has_its_time_its_level_its_logger_and_the_callers_fields(output):
    logging.getLogger("sekisho.x").warning("hello %s", "you\r\nthere", extra={"user": "\x1b[31m"})
    (record,) = lines(output)
    assert datetime.fromisoformat(record.pop("time")).tzinfo is not None
    assert record == {
        "level": "warning",
        "logger": "sekisho.x",
        "message": "hello you\r\nthere",
        "user": "\x1b[31m",
    }
    assert output.getvalue().count("\n") == 1
    assert "\x1b" not in output.getvalue()


def test_a_record_below_the_level_and_a_chatty_library_are_left_out(output):
    logging.getLogger("sekisho").debug("x")
    logging.getLogger("uvicorn.error").info("GET /?token=SECRET")
    assert output.getvalue() == ""


def test_a_defect_is_logged_with_its_frames_and_its_kind_but_not_its_words(output):
    """SEC-116: an exception's own words may quote a caller's value."""
    try:
        int("SECRET")
    except ValueError:
        logging.getLogger("sekisho").exception("it failed")
    (record,) = lines(output)
    assert record["trace"][-1] == "ValueError"
    assert record["trace"][0].endswith(
        "test_a_defect_is_logged_with_its_frames_and_its_kind_but_not_its_words"
    )
    assert "SECRET" not in output.getvalue()


def test_a_record_without_an_exception_has_no_trace(output):
    logging.getLogger("sekisho").error("x", exc_info=(None, None, None))
    assert "trace" not in lines(output)[0]


class TestRequestLog:
    def test_lines_wait_until_they_are_flushed(self):
        stream = io.StringIO()
        log = logs.RequestLog(stream)
        log.write({"path": "/a\n"})
        log.write({"path": "/b"})
        assert stream.getvalue() == ""
        log.flush()
        assert [record["path"] for record in lines(stream)] == ["/a\n", "/b"]
        log.flush()
        assert len(lines(stream)) == 2

    def test_many_lines_flush_themselves(self):
        stream = io.StringIO()
        log = logs.RequestLog(stream)
        for n in range(64):
            log.write({"n": n})
        assert [record["n"] for record in lines(stream)] == list(range(64))

    def test_without_a_stream_lines_go_to_standard_error(self, capsys):
        log = logs.RequestLog()
        log.write({"n": 1})
        log.flush()
        assert capsys.readouterr().err == '{"n":1}\n'


class TestAuditLines:
    """Audit records may go to a stream of their own, whatever the level of the rest."""

    @pytest.fixture(autouse=True)
    def _restored(self):
        yield
        logs.configure("ERROR")

    def test_records_go_to_their_stream_alone(self):
        rest, audit = io.StringIO(), io.StringIO()
        logs.configure("ERROR", rest, audit=audit)
        logging.getLogger("sekisho.audit").info("audit", extra={"audit": "user_created"})
        logging.getLogger("sekisho.other").info("not said")
        assert rest.getvalue() == ""
        assert json.loads(audit.getvalue())["audit"] == "user_created"

    def test_without_one_they_go_where_the_rest_goes(self):
        rest = io.StringIO()
        logs.configure("INFO", io.StringIO(), audit=io.StringIO())
        logs.configure("INFO", rest)
        logging.getLogger("sekisho.audit").info("audit", extra={"audit": "user_created"})
        assert rest.getvalue().count("\n") == 1
