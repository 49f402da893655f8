"""The texts: every mail in every language, whatever the values are, and the operator's own."""

import itertools
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail import CARRY_A_CODE, TEMPLATES, MailTemplatesRefused, values_of
from app.mail.templates import LONGEST_VALUE, Templates
from app.text import is_printable

TEXTS = Templates("Sekisho")
LANGUAGES = ("bn", "de", "en", "es", "fr", "it", "nl", "pl", "pt-BR", "zh-CN")
ALL = list(itertools.product(TEMPLATES, LANGUAGES))
HOSTILE = (
    "<script>alert(1)</script>\"'&amp;${code}$service{{7*7}}%(code)s{0.__class__}"
    "\r\nBcc: eve@example.com\r\n\r\n<b>\x00\x1b[2J\u202e\u2028\ud800</p></body>"
)


class Tags(HTMLParser):
    """The elements and the words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def plain(template):
    return dict.fromkeys(values_of(template), "value")


def test_there_are_ten_languages_and_no_mail_lacks_one():
    assert TEXTS.languages == LANGUAGES
    for template, language in ALL:
        assert TEXTS.render(template, language, plain(template)).language == language


@pytest.mark.parametrize(("template", "language"), ALL, ids="-".join)
def test_a_mail_says_all_it_is_for(template, language):
    values = {name: f"<{name}-1>" for name in values_of(template)}
    content = TEXTS.render(template, language, values)
    assert "Sekisho" in content.subject
    for name, value in values.items():
        assert value in content.text
        assert f"&lt;{name}-1&gt;" in content.html
    if template in CARRY_A_CODE:
        assert content.subject.startswith("<code-1>")
        assert '<p class="code">&lt;code-1&gt;</p>' in content.html
    assert not re.search(r"[${}]", content.subject + content.text)
    assert f'<html lang="{language}">' in content.html


@pytest.mark.parametrize(("template", "language"), ALL, ids="-".join)
def test_hostile_values_stay_text_sec_113(template, language):
    texts = Templates(f"Evil{HOSTILE}")
    harmless = Tags(texts.render(template, language, plain(template)).html)
    content = texts.render(template, language, dict.fromkeys(values_of(template), HOSTILE))
    assert Tags(content.html).elements == harmless.elements
    assert "<script" not in content.html
    for said in (content.subject, *content.text.splitlines()):
        assert is_printable(said), ascii(said)
    assert not re.search(r"^Bcc:", content.text, re.MULTILINE)
    assert "\n" not in content.subject
    assert "${code}$service{{7*7}}" in content.text, "nothing in a value is carried out"


@given(st.sampled_from(ALL), st.text())
def test_no_value_changes_what_a_mail_is_made_of_sec_113(which, value):
    template, language = which
    content = TEXTS.render(template, language, dict.fromkeys(values_of(template), value))
    harmless = TEXTS.render(template, language, plain(template))
    assert Tags(content.html).elements == Tags(harmless.html).elements
    assert is_printable(content.subject)
    assert len(content.text.splitlines()) == len(harmless.text.splitlines())


def test_a_value_is_cut_sec_113():
    content = TEXTS.render("email_create", "en", {"new_address": "a" * 10_000})
    assert content.text.count("a" * LONGEST_VALUE) == 1
    assert "a" * (LONGEST_VALUE + 1) not in content.text


def test_a_page_of_a_mail_loads_nothing():
    for template, language in ALL:
        page = Tags(TEXTS.render(template, language, plain(template)).html)
        named = {tag for tag, _ in page.elements}
        assert named <= {"html", "head", "meta", "title", "style", "body", "main", "p", "footer"}
        assert not any(name in ("src", "href") for _, attrs in page.elements for name, _ in attrs)


def test_an_unknown_language_is_english():
    content = TEXTS.render("test", "tlh", {})
    assert (content.language, content.subject) == ("en", "Test message from Sekisho")


class TestOwnTexts:
    """The texts of `email_delivery.templates_dir`."""

    def test_a_subject_alone_can_be_replaced(self, folder):
        (folder / "de.toml").write_text('[login]\nsubject = "Code: ${code}"\n')
        texts = Templates("Sekisho", folder)
        content = texts.render("login", "de", plain("login"))
        assert content.subject == "Code: value"
        assert "anzumelden" in content.text
        assert texts.render("login", "fr", plain("login")).subject.endswith("Sekisho")

    def test_html_and_its_frame_can_be_replaced_and_values_are_still_escaped(self, folder):
        (folder / "en.toml").write_text('[login]\nhtml = "<h1>${code}</h1> costs $$5"\n')
        (folder / "layout.html").write_text("<!doctype html><title>${subject}</title>${body}")
        content = Templates("A & B", folder).render("login", "en", {"code": "<i>", "minutes": "5"})
        assert content.html == (
            "<!doctype html><title>&lt;i&gt; is your sign-in code for A &amp; B</title>"
            "<h1>&lt;i&gt;</h1> costs $5"
        )

    def test_a_language_can_be_added_and_what_it_lacks_is_english(self, folder):
        (folder / "ja.toml").write_text(
            '[login]\nsubject = "${code}: ${service}"\ntext = "コード ${code} ${soon}"\n'
            '[phrases]\nsoon = "${minutes} 分"\n'
        )
        texts = Templates("Sekisho", folder)
        assert "ja" in texts.languages
        content = texts.render("login", "ja", {"code": "1", "minutes": "5"})
        assert (content.language, content.text) == ("ja", "コード 1 5 分\n")
        assert texts.render("recovery", "ja", plain("recovery")).language == "en"

    @pytest.mark.parametrize(
        ("name", "text", "why"),
        [
            ("en.toml", "[login", "no TOML"),
            ("en.toml", '[logout]\nsubject = "x"', "no mail called 'logout'"),
            ("en.toml", 'login = "x"', "no mail called 'login'"),
            ("en.toml", '[login]\nbody = "x"', "takes no 'body'"),
            ("en.toml", "[login]\nsubject = 5", "takes no 'subject'"),
            ("en.toml", '[login]\nsubject = "${password}"', "no value called 'password'"),
            ("en.toml", '[test]\ntext = "${code}"', "no value called 'code'"),
            ("en.toml", '[login]\ntext = "${code.__class__}"', "lone '$'"),
            ("en.toml", '[login]\ntext = "costs $5"', "lone '$'"),
            ("en.toml", '[login]\nsubject = "a\\r\\nBcc: eve@example.com"', "control character"),
            ("en.toml", '[login]\nsubject = " "', "empty"),
            ("ja.toml", '[login]\nsubject = "x"', "a subject and a text"),
            ("layout.html", "${body} ${code}", "no value called 'code'"),
            ("en.toml", "x" * (1024 * 1024 + 1), "too long"),
        ],
    )
    def test_a_text_that_cannot_be_used_is_refused(self, folder, name, text, why):
        (folder / name).write_text(text)
        with pytest.raises(MailTemplatesRefused, match=re.escape(why)):
            Templates("Sekisho", folder)

    def test_a_file_that_is_no_text_or_a_folder_that_is_none_is_refused(self, folder):
        with pytest.raises(MailTemplatesRefused, match="no folder"):
            Templates("Sekisho", folder / "missing")
        (folder / "en.toml").write_bytes(b"\xff")
        with pytest.raises(MailTemplatesRefused, match="UTF-8"):
            Templates("Sekisho", folder)
