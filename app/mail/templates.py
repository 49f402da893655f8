"""What the mails say: the texts, in every language, and how values come into them.

A text is a file of TOML for each language. `${name}` is the only thing a text can do, so a text
can run nothing and read nothing (SEC-113); values are cut, freed of controls, and escaped in HTML.
"""

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

from app.mail.errors import MailTemplatesRefused
from app.mail.languages import DEFAULT
from app.text import is_printable

Notice = Literal[
    "password_create",
    "password_update",
    "password_delete",
    "primary_email_update",
    "email_create",
    "email_delete",
    "username_update",
    "username_delete",
    "passkey_create",
    "passkey_delete",
    "mfa_create",
    "mfa_delete",
    "recovery_codes_create",
    "identity_create",
    "identity_delete",
]
"""Mails that tell what has changed on an account; each can be switched off."""

Template = Literal[
    "login",
    "email_verification",
    "recovery",
    "email_login_attempted",
    "email_registration_attempted",
    Notice,
    "test",
]
"""The mails there are: three that carry a code, two that tell of an attempt, and notices."""

TEMPLATES: tuple[Template, ...] = get_args(Template)
CARRY_A_CODE: tuple[Template, ...] = TEMPLATES[:3]
ATTEMPTS: tuple[Template, ...] = TEMPLATES[3:5]
LONGEST_VALUE = 254
_VALUES: dict[Template, tuple[str, ...]] = {
    **dict.fromkeys(CARRY_A_CODE, ("code", "minutes")),
    "primary_email_update": ("old_address", "new_address"),
    "email_create": ("new_address",),
    "email_delete": ("deleted_address",),
    "username_update": ("new_username",),
    "identity_create": ("provider",),
    "identity_delete": ("provider",),
}
_TEXTS = Path(__file__).parent / "texts"
_LAYOUT = "layout.html"
_LAYOUT_VALUES = ("language", "subject", "body", "service")
_PHRASES = "phrases"
_KEYS = {"subject", "text", "html"}
_LONGEST_FILE = 1024 * 1024
_Words = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Content:
    """What one mail says."""

    language: str
    subject: str
    text: str
    html: str


class _Pattern(string.Template):
    """Text in which `${name}` stands for a value, and `$$` for a dollar."""

    idpattern = r"(?a:[a-z_]+)"
    flags = re.NOFLAG  # names are in lower case

    def filled(self, values: Mapping[str, str]) -> str:
        """Put the values in."""
        return self.substitute(values)


@dataclass(frozen=True, slots=True)
class _Wording:
    """One mail in one language; without HTML of its own it is made of the text."""

    subject: _Pattern
    text: _Pattern
    html: _Pattern | None


_Wordings = Mapping[tuple[str, Template], _Wording]


def values_of(template: Template) -> tuple[str, ...]:
    """Name the values that a mail needs, beside the name of the service."""
    return _VALUES.get(template, ())


class Templates:
    """The texts of every mail in every language."""

    def __init__(self, service: str, folder: Path | None = None) -> None:
        """Read our own texts, and over them those of *folder*.

        Args:
            service: What the deployment calls itself.
            folder: Holds `<language>.toml` files and, if it likes, a `layout.html`.

        Raises:
            MailTemplatesRefused: A text cannot be read, or asks for what there is not.
        """
        wordings, layout = _ours(), _TEXTS / _LAYOUT
        if folder is not None:
            if not folder.is_dir():
                raise MailTemplatesRefused(f"email_delivery.templates_dir: {folder} is no folder.")
            wordings = _all_wordings(_merged(_read_all(_TEXTS), _read_all(folder)))
            layout = folder / _LAYOUT if (folder / _LAYOUT).is_file() else layout
        self._service = service
        self._layout = _pattern(_content(layout), _LAYOUT_VALUES, str(layout))
        self._wordings = wordings
        self.languages = tuple(sorted({language for language, _ in wordings}))

    def render(self, template: Template, language: str, values: Mapping[str, str]) -> Content:
        """Write a mail; what a language lacks is said in English."""
        spoken = language if (language, template) in self._wordings else DEFAULT
        wording = self._wordings[spoken, template]
        plain = {name: _harmless(value) for name, value in values.items()}
        plain["service"] = _harmless(self._service)
        subject, text = wording.subject.filled(plain), wording.text.filled(plain)
        escaped = {name: escape(value) for name, value in plain.items()}
        body = wording.html or _Pattern(_as_html(wording.text.template))
        html = self._layout.filled(
            {
                "language": escape(spoken),
                "subject": escape(subject),
                "body": body.filled(escaped),
                "service": escaped["service"],
            }
        )
        return Content(spoken, subject, text, html)


def _as_html(text: str) -> str:
    """Write a text's paragraphs as HTML; a code that stands alone is written large."""
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    return "\n".join(
        '<p class="code">${code}</p>'
        if part == "${code}"
        else f"<p>{escape(part, quote=False)}</p>"
        for part in paragraphs
    )


def _harmless(value: str) -> str:
    """Cut a value and blank out what is not seen: controls, and what turns text around."""
    return "".join(c if is_printable(c) else " " for c in value[:LONGEST_VALUE])


@cache
def _ours() -> _Wordings:
    """Read our own texts, once: they come with the code."""
    return _all_wordings(_read_all(_TEXTS))


def _all_wordings(words: Mapping[str, _Words]) -> _Wordings:
    return {
        (language, template): wording
        for language, mails in words.items()
        for template, wording in _wordings(language, mails).items()
    }


def _read_all(folder: Path) -> dict[str, _Words]:
    return {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> _Words:
    try:
        found: dict[str, Any] = tomllib.loads(_content(path))
    except tomllib.TOMLDecodeError as error:
        raise MailTemplatesRefused(f"{path} is no TOML: {error}.") from error
    for mail, entries in found.items():
        if mail not in (*TEMPLATES, _PHRASES) or not isinstance(entries, dict):
            raise MailTemplatesRefused(f"{path}: there is no mail called '{mail}'.")
        for key, value in entries.items():
            if not isinstance(value, str) or (mail != _PHRASES and key not in _KEYS):
                raise MailTemplatesRefused(f"{path}: '{mail}' takes no '{key}' like this.")
    return found


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_FILE + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise MailTemplatesRefused(f"{path} cannot be read as UTF-8.") from error
    if len(text) > _LONGEST_FILE:
        raise MailTemplatesRefused(f"{path} is too long.")
    return text


def _merged(ours: dict[str, _Words], theirs: dict[str, _Words]) -> dict[str, _Words]:
    """Lay their words over ours, key by key; a language of theirs alone is added."""
    merged = {language: dict(mails) for language, mails in ours.items()}
    for language, mails in theirs.items():
        there = merged.setdefault(language, {})
        for mail, entries in mails.items():
            there[mail] = there.get(mail, {}) | entries
    return merged


def _wordings(language: str, mails: _Words) -> dict[Template, _Wording]:
    phrases = mails.get(_PHRASES, {})
    return {
        template: _wording(template, mails[template], phrases, f"{language}, {template}")
        for template in TEMPLATES
        if template in mails
    }


def _wording(
    template: Template, words: dict[str, str], phrases: dict[str, str], place: str
) -> _Wording:
    if not {"subject", "text"} <= words.keys():
        raise MailTemplatesRefused(f"{place}: a mail needs a subject and a text.")
    names = ("service", *values_of(template))
    subject = words["subject"].strip()
    if not subject or not is_printable(subject):
        raise MailTemplatesRefused(f"{place}: the subject is empty or holds a control character.")
    html = words.get("html")
    return _Wording(
        _pattern(_spoken(subject, phrases), names, place),
        _pattern(_spoken(words["text"].strip() + "\n", phrases), names, place),
        None if html is None else _pattern(_spoken(html, phrases), names, place),
    )


def _spoken(text: str, phrases: dict[str, str]) -> str:
    """Put a language's phrases in, and leave the values to come."""
    for name, phrase in phrases.items():
        text = text.replace(f"${{{name}}}", phrase)
    return text


def _pattern(text: str, names: tuple[str, ...], place: str) -> _Pattern:
    pattern = _Pattern(text)
    if not pattern.is_valid():
        raise MailTemplatesRefused(f"{place}: a lone '$' is written '$$'.")
    for name in pattern.get_identifiers():
        if name not in names:
            raise MailTemplatesRefused(f"{place}: there is no value called '{name}'.")
    return pattern
