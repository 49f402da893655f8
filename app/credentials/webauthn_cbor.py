"""How far a CBOR item reaches, and that it is written as authenticators must write it. Pure."""

MAX_DEPTH = 4
"""How deep maps and arrays may nest (CTAP 2.2 §8, message encoding)."""

MAX_ITEMS = 256
"""How many parts an item may have, each in its container; an attestation has a few dozen."""

_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_PLAIN = (0, 1, 7)  # integers, and simple values with floats
_STRINGS = (2, 3)
_CONTAINERS = {4: 1, 5: 2}  # an entry of a map is two items


class NotCbor(ValueError):
    """The bytes are no CBOR item as we accept it."""


def end_of_item(data: bytes, start: int = 0) -> int:
    """Give the place behind the item that begins at *start*.

    Raises:
        NotCbor: Truncated, nested too deeply, of too many parts, tagged, or of indefinite length
            (SEC-052).
    """
    at, to_come = start, [1]  # how many items each open container still has
    for _ in range(MAX_ITEMS):
        to_come[-1] -= 1
        major, argument, at = _head(data, at)
        if major in _STRINGS:
            at = _within(data, at + argument)
        elif major in _CONTAINERS and len(to_come) <= MAX_DEPTH:
            to_come.append(argument * _CONTAINERS[major])
        elif major not in _PLAIN:
            raise NotCbor
        while to_come and not to_come[-1]:
            to_come.pop()
        if not to_come:
            return at
    raise NotCbor


def check_whole(data: bytes) -> None:
    """See that *data* is exactly one item.

    Raises:
        NotCbor: It is none, or something follows it.
    """
    if end_of_item(data) != len(data):
        raise NotCbor


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Read an item's major type and its argument, and give the place behind them."""
    first = data[_within(data, at + 1) - 1]
    major, argument = first >> 5, first & 0b11111
    if argument < min(_ARGUMENT_BYTES):
        return major, argument, at + 1
    if argument not in _ARGUMENT_BYTES:
        raise NotCbor
    end = _within(data, at + 1 + _ARGUMENT_BYTES[argument])
    return major, int.from_bytes(data[at + 1 : end]), end


def _within(data: bytes, end: int) -> int:
    if end > len(data):
        raise NotCbor
    return end
