"""What is checked when claims are saved: that they can be read, show nothing private, and fit."""

from collections.abc import Iterator, Mapping

from app.claims.claims import RESERVED, Sources, convert, only_shortcode, static
from app.claims.errors import (
    ClaimReserved,
    ClaimsTooLarge,
    PrivateMetadataNamed,
    TemplateRunError,
    TemplateSyntaxError,
)
from app.claims.gotemplate import tree
from app.claims.gotemplate_tree import names_in
from app.claims.gotemplate_values import finished
from app.claims.jsontext import MAX_DEPTH
from app.claims.size_bounds import bound_of
from app.claims.size_objects import Objects, Unbounded, json_length
from app.claims.sizes import Cap, Caps, Size, total
from app.strictjson import Json
from app.text import is_storable

__all__ = ["Cap", "Caps", "check_claims", "worst_case_size"]

_PRIVATE = frozenset(("private", "privatemetadata", "private_metadata"))


def check_claims(
    claims: Mapping[str, Json], *, caps: Caps | None = None, budget: int | None = None
) -> None:
    """Refuse claims that cannot be saved; `path` of the error says where they go wrong.

    Raises:
        ClaimReserved: One of them is the product's own (SEC-010).
        TemplateSyntaxError: A template in them cannot be read, JSON has no such value, or a text
            holds U+0000 or half of a surrogate pair.
        PrivateMetadataNamed: A template asks for the private bag (SEC-009).
        ClaimsTooLarge: They could take more bytes than *budget*, with bags as full as *caps* let
            them be.
    """
    check = _Check()
    for name, value in claims.items():
        if name in RESERVED:
            raise ClaimReserved(path=(name,))
        check.text(name, ())
        check.value(value, (name,))
    if caps is not None and budget is not None:
        size = worst_case_size(claims, caps)
        if size is None:
            raise ClaimsTooLarge("There is no telling how large the claims can become.")
        if size > budget:
            raise ClaimsTooLarge(f"The claims can take {size} bytes, {budget} are allowed.")


def worst_case_size(claims: Mapping[str, Json], caps: Caps) -> int | None:
    """Give a bound of the claims' size, as compact JSON in bytes; None where there is none.

    A claim that may be left out counts as if it were there. What each template can become is
    reasoned out in `size_bounds`, what part of a bag goes where in `sizes`.

    Raises:
        TemplateSyntaxError: A template cannot be read.
    """
    kept = {name: value for name, value in claims.items() if name not in RESERVED}
    try:
        return _size(kept, caps).bytes_within(caps)
    except Unbounded:
        return None


def _size(value: object, caps: Caps) -> Size:
    match value:
        case str():
            return _size_of_text(value, caps)
        case dict():
            frame = sum(json_length(str(key)) + len(":,") for key in value)
            return total(_size(item, caps) for item in value.values()) + Size(frame + len("{}"))
        case list():
            frame = len(value) + len("[]")
            return total(_size(item, caps) for item in value) + Size(frame)
        case _:
            return Size(json_length(static(value)))


def _size_of_text(source: str, caps: Caps) -> Size:
    if "{{" not in source:
        return Size(json_length(convert(finished(source))))
    templates = tree(source, shortcodes=True)
    alone = only_shortcode(templates)
    return Objects(caps).shortcode(alone).alone if alone else bound_of(templates, caps)


class _Check:
    """Goes through the claims once; their templates share the room there is for all of them."""

    def __init__(self) -> None:
        self._sources = Sources()

    def value(self, value: object, path: tuple[str, ...]) -> None:
        if len(path) > MAX_DEPTH:
            raise TemplateSyntaxError("The claim is nested too deeply.", path=path)
        match value:
            case str():
                self.text(value, path)
                if "{{" in value:
                    self._template(value, path)
            case dict() | list():
                for key, item in _members(value):
                    self.text(key, path)
                    self.value(item, (*path, key))
            case _:
                _check_static(value, path)

    @staticmethod
    def text(text: str, path: tuple[str, ...]) -> None:
        if not is_storable(text):
            raise TemplateSyntaxError("A text holds U+0000 or half of a surrogate pair.", path=path)

    def _template(self, source: str, path: tuple[str, ...]) -> None:
        try:
            templates = self._sources.tree(source)
        except TemplateSyntaxError as error:
            raise type(error)(error.message, path=path) from None
        if any(name.casefold() in _PRIVATE for name in names_in(templates)):
            raise PrivateMetadataNamed(path=path)


def _members(value: dict[object, object] | list[object]) -> Iterator[tuple[str, object]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return ((str(key), item) for key, item in items)


def _check_static(value: object, path: tuple[str, ...]) -> None:
    try:
        static(value)
    except TemplateRunError as error:
        raise TemplateSyntaxError(error.message, path=path) from None
