"""Formatting a single text or number as a directive of `printf` asks."""

import math
from dataclasses import dataclass, replace

from app.claims.gotemplate_floats import digits
from app.claims.gotemplate_values import Byte, as_bytes, is_cut

_BASES = {"d": 10, "v": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_PREFIXES = {2: "0b", 8: "0", 16: "0x"}
_NAMED = dict(zip("\a\b\f\n\r\t\v", "abfnrtv", strict=True))
_INT64_MASK = 2**64 - 1
_MAX_CODE, _REPLACEMENT = 0x10FFFF, 0xFFFD
_SURROGATES = range(0xD800, 0xE000)
_DELETE, _SHORT_END = 0x7F, 0x10000

Scalar = bool | int | float | complex | str
"""What is printed in one piece."""


@dataclass(frozen=True, slots=True)
class Directive:
    """How one value is to be printed: the verb and everything between it and the percent sign.

    With `in_go_syntax` the value is spelled as source code would spell it.
    """

    verb: str
    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None
    in_go_syntax: bool = False


def padded(text: str, directive: Directive) -> str:
    """Fill a text up to the width, which counts characters."""
    width = directive.width or 0
    if directive.minus:
        return text.ljust(width)
    return text.rjust(width, "0" if directive.zero else " ")


def scalar(value: Scalar, directive: Directive) -> str | None:
    """Format a value; None where the verb does not fit it."""
    match value:
        case str():
            return _string(value, directive)
        case bool():
            return padded(str(value).lower(), directive) if directive.verb in "tv" else None
        case int():
            return _integer(value, directive)
        case float():
            return _float(value, directive)
        case complex():
            return _complex(value, directive)


def quoted(text: str, *, quote: str = '"', in_ascii: bool = False) -> str:
    """Write a text between quotes, with escapes for whatever cannot be printed."""
    body = "".join(_escaped(character, quote, in_ascii=in_ascii) for character in text)
    return f"{quote}{body}{quote}"


def _string(text: str, directive: Directive) -> str | None:
    match directive.verb:
        case "x" | "X":
            return padded(_hexadecimal(as_bytes(text), directive), directive)
        case "v" | "s" | "q":
            shown = text if directive.precision is None else text[: directive.precision]
            is_quoted = directive.verb == "q" or directive.in_go_syntax
            return padded(_quoted(shown, directive) if is_quoted else shown, directive)
        case _:
            return None


def _quoted(text: str, directive: Directive) -> str:
    if directive.sharp and all(_is_raw(character) for character in text):
        return f"`{text}`"
    return quoted(text, in_ascii=directive.plus)


def _is_raw(character: str) -> bool:
    is_control = character < " " and character != "\t"
    return not is_control and not is_cut(character) and character not in "`\x7f\ufeff"


def _hexadecimal(data: bytes, directive: Directive) -> str:
    shown = data if directive.precision is None else data[: directive.precision]
    prefix = "0x" if directive.sharp and shown else ""
    text = prefix + shown.hex(" ").replace(" ", f" {prefix}" if directive.space else "")
    return text.upper() if directive.verb == "X" else text


def _integer(value: int, directive: Directive) -> str | None:
    match directive.verb:
        case "c":
            return padded(_character(value), directive)
        case "q":
            shown = quoted(_character(value), quote="'", in_ascii=directive.plus)
            return padded(shown, directive)
        case "U":
            return _unpadded_with_zeros(_code_point(value, directive), directive)
        case "v" if directive.in_go_syntax and isinstance(value, Byte):
            return _in_base(value, 16, replace(directive, sharp=True))
        case verb if verb in _BASES:
            return _in_base(value, _BASES[verb], directive)
        case _:
            return None


def _character(code: int) -> str:
    is_known = 0 <= code <= _MAX_CODE and code not in _SURROGATES
    return chr(code if is_known else _REPLACEMENT)


def _code_point(value: int, directive: Directive) -> str:
    figures = max(directive.precision or 0, 4)
    text = f"U+{value & _INT64_MASK:0{figures}X}"
    is_shown = directive.sharp and 0 <= value <= _MAX_CODE and chr(value).isprintable()
    return f"{text} '{chr(value)}'" if is_shown else text


def _in_base(value: int, base: int, directive: Directive) -> str:
    if directive.precision == 0 and value == 0:
        return _unpadded_with_zeros("", directive)
    sign = "-" if value < 0 else "+" if directive.plus else " " if directive.space else ""
    figures = _figures(abs(value), base).rjust(_least_figures(sign, directive), "0")
    prefix = _PREFIXES.get(base, "") if directive.sharp else ""
    if prefix == "0" and figures.startswith("0"):
        prefix = ""
    text = ("0o" if directive.verb == "O" else "") + prefix + figures
    text = text.upper() if directive.verb == "X" else text
    return _unpadded_with_zeros(sign + text, directive)


def _figures(value: int, base: int) -> str:
    return format(value, {2: "b", 8: "o", 10: "d", 16: "x"}[base])


def _least_figures(sign: str, directive: Directive) -> int:
    if directive.precision is not None:
        return directive.precision
    is_filled = directive.zero and not directive.minus
    return (directive.width or 0) - len(sign) if is_filled else 0


def _unpadded_with_zeros(text: str, directive: Directive) -> str:
    width = directive.width or 0
    return text.ljust(width) if directive.minus else text.rjust(width)


def _float(value: float, directive: Directive) -> str | None:
    verb = "g" if directive.verb == "v" else directive.verb
    if verb not in "gGeEfFxXb":
        return None
    text = digits(value, verb, directive.precision, is_sharp=directive.sharp)
    sign = _sign(value, directive)
    if directive.zero and text not in ("NaN", "Inf") and not directive.minus:
        return sign + text.rjust((directive.width or 0) - len(sign), "0")
    return _unpadded_with_zeros(sign + text, directive)


def _sign(value: float, directive: Directive) -> str:
    if math.copysign(1, value) < 0 and not math.isnan(value):
        return "-"
    if directive.plus:
        return "+"
    if directive.space:
        return " "
    return "+" if math.isinf(value) else ""


def _complex(value: complex, directive: Directive) -> str | None:
    real = _float(value.real, directive)
    imaginary = _float(value.imag, replace(directive, plus=True))
    return f"({real}{imaginary}i)" if real else None


def _escaped(character: str, quote: str, *, in_ascii: bool) -> str:
    code = ord(character)
    if character in (quote, "\\"):
        return "\\" + character
    if character.isprintable() and (code < _DELETE or not in_ascii):
        return character
    if character in _NAMED:
        return "\\" + _NAMED[character]
    if is_cut(character):
        return f"\\x{as_bytes(character).hex()}"
    if code <= _DELETE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _SHORT_END else f"\\U{code:08x}"
