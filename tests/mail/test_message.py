"""The message: nothing that anybody typed becomes a header."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import utc_now
from app.ids import new_id
from app.mail import Content, RecipientRefused
from app.mail.message import Letter, MailAddress
from app.text import is_printable

HEADERS = [
    "Auto-Submitted",
    "Content-Language",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
]


def letter(subject="Hello", to="ada@example.com", text="Hello\n", html="<p>Hello</p>"):
    sender = MailAddress.of("noreply@id.example", 'Käse, "Inc"')
    content = Content("en", subject, text, html)
    return Letter(new_id(), sender, MailAddress.of(to), content, utc_now())


def parsed(written):
    return message_from_bytes(written, policy=default)


@pytest.mark.parametrize("control", ["\r\n", "\n", "\r", "\x00", "\x85", "\u2028", "\x1b"])
def test_a_control_in_a_subject_is_refused_sec_113(control):
    with pytest.raises(ValueError, match="control"):
        bytes(letter(subject=f"Hello{control}Bcc: eve@example.com"))


@given(st.text())
def test_a_name_or_an_address_is_one_mailbox_or_refused_sec_113(text):
    for address, name in ((text, ""), (f"{text}@example.com", ""), ("ada@example.com", text)):
        try:
            made = MailAddress.of(address, name)
        except RecipientRefused:
            continue
        assert not any(c in made.address for c in "\r\n\x00<>, ")
        assert made.domain.isascii()
        assert is_printable(str(made.header()))


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_no_subject_makes_a_header_sec_113(subject):
    made = letter(subject=subject)
    try:
        written = bytes(made)
    except ValueError:
        return
    message = parsed(written)
    assert sorted(message.keys()) == HEADERS
    assert str(message["To"]) == "ada@example.com"
    head = written.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    assert head.isascii()


@given(st.text(st.characters(codec="utf-8").filter(lambda c: c == "\n" or is_printable(c))))
def test_a_text_arrives_as_it_was_written(text):
    arrived = parsed(bytes(letter(text=text))).get_body(("plain",)).get_content()
    assert arrived.replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


def test_a_long_line_is_folded_for_every_server():
    written = bytes(letter(text="a" * 100_000, html="<p>" + "ü" * 100_000))
    assert max(len(line) for line in written.split(b"\r\n")) <= 998
    assert written.isascii()
    assert b"\n" not in written.replace(b"\r\n", b"")


def test_a_name_with_marks_of_its_own_is_quoted():
    message = parsed(bytes(letter()))
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ('Käse, "Inc"', "noreply@id.example")
