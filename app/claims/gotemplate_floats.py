"""Floating-point numbers as digits, in the notations of the verbs `e`, `f`, `g`, `b` and `x`."""

import math
from decimal import Decimal

_USUAL_PRECISION = 6
_SHORT_POWERS = range(-4, 6)  # the shortest spelling does without a power of ten for these
_MANTISSA_BITS, _LEAST_POWER = 53, -1074
_FRACTION_BITS = _MANTISSA_BITS - 1
_HEX_FIGURES = _FRACTION_BITS // 4


def digits(value: float, verb: str, precision: int | None, *, is_sharp: bool = False) -> str:
    """Write a number without its sign, in the notation of a verb.

    Without a precision, `g` is as short as tells the number from all others.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf"
    text = _notation(abs(value), verb.lower(), precision)
    if is_sharp and verb != "b":
        text = _with_point(text, precision, is_padded=verb in "gGx")
    return text.upper() if verb in "EGX" else text


def _notation(value: float, verb: str, precision: int | None) -> str:
    match verb:
        case "g" if precision is None:
            return _shortest(value)
        case "b":
            return _binary(value)
        case "x":
            return _hexadecimal(value, precision)
        case _:
            return f"{value:.{_USUAL_PRECISION if precision is None else precision}{verb}}"


def _shortest(value: float) -> str:
    exact = Decimal(repr(value)).normalize()
    if not value or exact.adjusted() in _SHORT_POWERS:
        return f"{exact:f}"
    figures = "".join(map(str, exact.as_tuple().digits))
    point = "." if figures[1:] else ""
    return f"{figures[0]}{point}{figures[1:]}e{exact.adjusted():+03d}"


def _binary(value: float) -> str:
    fraction, power = math.frexp(value)
    mantissa, power = int(math.ldexp(fraction, _MANTISSA_BITS)), power - _MANTISSA_BITS
    below = max(_LEAST_POWER - power, 0) if value else 0
    return f"{mantissa >> below}p{power + below if value else _LEAST_POWER:+d}"


def _hexadecimal(value: float, precision: int | None) -> str:
    fraction, power = math.frexp(value)
    mantissa, power = int(math.ldexp(fraction, _MANTISSA_BITS)), power - 1 if value else 0
    if precision is not None and precision < _HEX_FIGURES:
        mantissa = _rounded(mantissa, _FRACTION_BITS - 4 * precision)
        power += mantissa.bit_length() > _MANTISSA_BITS
        mantissa >>= mantissa.bit_length() > _MANTISSA_BITS
    figures = f"{mantissa & (1 << _FRACTION_BITS) - 1:0{_HEX_FIGURES}x}"
    if precision is None:
        figures = figures.rstrip("0")
    else:
        figures = figures[:precision].ljust(precision, "0")
    return f"0x{1 if value else 0}{'.' if figures else ''}{figures}p{power:+03d}"


def _rounded(mantissa: int, bits: int) -> int:
    """Clear the last bits, going to the nearest and to the even one of two as near."""
    half, is_odd = 1 << bits - 1, mantissa >> bits & 1
    return mantissa + half - (0 if is_odd else 1) >> bits << bits


def _with_point(text: str, precision: int | None, *, is_padded: bool) -> str:
    """Write the point though nothing follows it, and the zeros that the shortest spelling drops."""
    power = text.partition("p" if "x" in text else "e")
    mantissa = power[0] if "." in power[0] else f"{power[0]}."
    if is_padded:
        figures = mantissa.replace(".", "").replace("x", "")
        figures = figures if "x" in mantissa else figures.lstrip("0") or "0"
        wanted = _USUAL_PRECISION if precision is None else max(precision, 1)
        mantissa += "0" * (wanted - len(figures))
    return f"{mantissa}{power[1]}{power[2]}"
