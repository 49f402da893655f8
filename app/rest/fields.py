"""Members of bodies, read one at a time; what is missing is told in the reference's words."""

from app.rest.bodies import BodyInvalid
from app.strictjson import Json
from app.text import is_storable


def required_text(given: dict[str, Json], name: str) -> str:
    """Read a text; whether it can be kept, whoever takes it judges in words of their own.

    Raises:
        BodyInvalid: It is missing, or no text.
    """
    value = _required(given, name)
    if not isinstance(value, str):
        raise BodyInvalid(f"{name} must be a string", path=(name,))
    return value


def optional_text(given: dict[str, Json], name: str) -> str:
    """Read a text that may be left out or be null; it is empty then.

    Raises:
        BodyInvalid: It is no text that can be kept.
    """
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not is_storable(value):
        raise BodyInvalid(f"{name} must be a string", path=(name,))
    return value


def required_texts(given: dict[str, Json], name: str) -> tuple[str, ...]:
    """Read a list of texts.

    Raises:
        BodyInvalid: It is missing, or something else.
    """
    value = _required(given, name)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BodyInvalid(f"{name} must be a list of strings", path=(name,))
    return tuple(value)


def required_flag(given: dict[str, Json], name: str) -> bool:
    """Read true or false.

    Raises:
        BodyInvalid: It is missing, or something else.
    """
    value = _required(given, name)
    if not isinstance(value, bool):
        raise BodyInvalid(f"{name} must be true or false", path=(name,))
    return value


def _required(given: dict[str, Json], name: str) -> Json:
    value = given.get(name)
    if value is None:
        raise BodyInvalid(f"{name} is a required field", path=(name,))
    return value
