"""What files of the reference hold that stands elsewhere here, has no effect, or does not fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec

from app.config.section import Section
from app.config.sections import Config, RateLimiter
from app.config.server_sections import PublicListener
from app.config.settings import entry_of, is_section, unwrap
from app.config.values import parse_bool, parse_int
from app.text import MAX_ADDRESS

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unused:
    """A key, with all below it, that is read and not used.

    Attributes:
        key: Its dotted name.
        why: What takes its place, or why there is nothing.
        variables: How its variables begin; none where anybody may use such names.
    """

    key: str
    why: str
    variables: tuple[str, ...] = ()


UNUSED = (
    Unused("debug", "answers never hold internals; `log.level: DEBUG` makes the log tell more"),
    Unused(
        "flow_locker",
        "the database sees to it that one request at a time moves a flow",
        ("FLOWLOCKER_", "FLOW_LOCKER_"),
    ),
    Unused(
        "multi_tenancy",
        "there is one pool of users",
        ("MULTITENANCY_", "MULTI_TENANCY_"),
    ),
    Unused("server.management", "there are no tenants to manage", ("SERVER_MANAGEMENT_",)),
    Unused(
        "default_email_delivery",
        "it was meant for tenants; `email_delivery` sends the mail",
        ("DEFAULT_EMAIL_DELIVERY_",),
    ),
    Unused(
        "database.conn_max_lifetime",
        "a connection is kept as long as it works",
        ("DATABASE_CONNMAXLIFETIME", "DATABASE_CONN_MAX_LIFETIME"),
    ),
    Unused(
        "database.idle_pool",
        "all connections of `database.pool` are kept",
        ("DATABASE_IDLEPOOL", "DATABASE_IDLE_POOL"),
    ),
    Unused(
        "webauthn.relying_party.icon",
        "authenticators do not show it",
        ("WEBAUTHN_RELYING_PARTY_ICON",),
    ),
    Unused("convert_legacy_config", "older names are read as they are"),
    *(
        Unused(f"server.public.cors.{name}", "the server decides it")
        for name in (
            "enabled",
            "allow_credentials",
            "allow_methods",
            "allow_headers",
            "expose_headers",
            "max_age",
        )
    ),
)

MOVED = {
    "server.public.cors": "cors",
    "emails": "email",
    "smtp": "email_delivery.smtp",
    "passcode.smtp": "email_delivery.smtp",
    "passcode.email.from_address": "email_delivery.from_address",
    "passcode.email.from_name": "email_delivery.from_name",
    "email_delivery.email.from_address": "email_delivery.from_address",
    "email_delivery.email.from_name": "email_delivery.from_name",
    "passcode.ttl": "email.passcode_ttl",
    "password.min_password_length": "password.min_length",
    "webauthn.relying_party.origin": "webauthn.relying_party.origins",
}
"""Older names, sections and settings, with those that took their place."""

AT_LEAST = {"password.min_length": 8}
"""What is used in place of less (SEC-035)."""

AT_MOST = {"email.max_length": MAX_ADDRESS}
"""What is used in place of more."""

_LIMITS = [f"rate_limiter.{one.name}" for one in msgspec.structs.fields(RateLimiter)]
_NANOSECONDS = (
    "database.conn_max_idletime",
    "mfa.device_trust_duration",
    *(f"{limit}.interval" for limit in _LIMITS),
)
"""Where the reference takes a bare number."""

_LEAST_OF_LIMITS = {"tokens": 1, "interval": "1s"}
"""What the reference makes of 0."""

_EMPTY_MEANS_DEFAULT = ("server.ip.extractor", "email.passcode_charset")
_OTHER_SERVERS = ("mysql", "mariadb")


def lowered(values: Values, problems: list[str], section: type[Section] | None = Config) -> Values:
    """Give the keys in lower case, as they are compared; what an application names stays."""
    known = {i.name: unwrap(i.type)[0] for i in msgspec.structs.fields(section)} if section else {}
    found: Values = {}
    for key, value in values.items():
        name = str(key).lower()
        if name in found:
            problems.append(f"'{key}' stands twice, in letters of another case")
        found[name] = _lowered(value, known.get(name), problems)
    return found


def _lowered(value: Any, kind: Any, problems: list[str]) -> Any:  # noqa: ANN401  # plain values
    entry = entry_of(kind)
    if isinstance(value, dict) and entry is not None:
        return {key: _lowered(one, entry, problems) for key, one in value.items()}
    if isinstance(value, dict) and get_origin(kind) is not dict:
        return lowered(value, problems, kind if is_section(kind) else None)
    if isinstance(value, list) and get_origin(kind) is list and is_section(get_args(kind)[0]):
        return [_lowered(one, get_args(kind)[0], problems) for one in value]
    return value


def put_in_place(values: Values, warnings: list[str], problems: list[str]) -> None:
    """Take out what has no effect and move what has another name; say so in *warnings*."""
    if _is_on(values, "multi_tenancy.enabled"):
        problems.append("multi_tenancy.enabled: there is one pool of users in a deployment")
    warnings.extend(
        f"{unused.key} has no effect: {unused.why}"
        for unused in UNUSED
        if _taken(values, unused.key) is not None
    )
    for old, new in MOVED.items():
        value = _taken(values, old)
        if value is None or value == {}:
            continue
        if _given(values, new) is None:
            _put(values, new, value)
            warnings.append(f"{old} is an old name of {new}")
        else:
            warnings.append(f"{old} is an old name of {new}, and ignored beside it")
    if _given(values, "secrets.keys"):
        beside = ", and ignored beside it" if _given(values, "secret_keys") else ""
        warnings.append(f"secrets.keys is an old name of secret_keys{beside}")


def look_at_variables(
    variables: Mapping[str, str], warnings: list[str], problems: list[str]
) -> None:
    """Say which variables have no effect."""
    warnings.extend(
        f"{name} has no effect: {unused.why}"
        for unused in UNUSED
        for name in sorted(variables)
        if unused.variables and name.startswith(unused.variables)
    )
    if variables.get("MULTITENANCY_ENABLED", "").lower() in ("1", "t", "true"):
        problems.append("MULTITENANCY_ENABLED: there is one pool of users in a deployment")


def choose_database(values: Values, warnings: list[str]) -> None:
    """Take a database with a place for PostgreSQL, and look after those that are not there.

    The reference has PostgreSQL where nothing is said. A server that we have no driver for gives
    way to the one that a URL names, and in development to SQLite; production refuses it.
    """
    database = values.get("database")
    if not isinstance(database, dict):
        return
    dialect = str(database.get("dialect") or "")
    if database.get("url"):
        if dialect in _OTHER_SERVERS:
            del database["dialect"]
            warnings.append(f"database.dialect: {dialect} has no effect beside database.url")
        return
    places = ("host", "port", "user", "password", "database")
    if not dialect and any(database.get(name) for name in places):
        database["dialect"] = "postgres"
    if dialect in _OTHER_SERVERS and values.get("environment") != "production":
        database["dialect"] = "sqlite"
        warnings.append(
            f"database.dialect: there is no driver for {dialect}; development keeps its rows in "
            "SQLite instead, production needs PostgreSQL"
        )


def leave_empty_ones(values: Values) -> None:
    """Take out empty texts that mean the default."""
    for name in _EMPTY_MEANS_DEFAULT:
        if _given(values, name) == "":
            _taken(values, name)


def bring_within(values: Values, warnings: list[str]) -> None:
    """Use what can be, where the reference takes what cannot."""
    for name, least in AT_LEAST.items():
        value = _number(values, name)
        if value is not None and 0 < value < least:
            _put(values, name, least)
            warnings.append(f"{name}: {value} is below {least}, which is used")
    for name, most in AT_MOST.items():
        value = _number(values, name)
        if value is not None and value > most:
            _put(values, name, most)
            warnings.append(f"{name}: {value} is above {most}, which is used")
    for limit in _LIMITS:
        for name, least_of_all in _LEAST_OF_LIMITS.items():
            if str(_given(values, f"{limit}.{name}")) in ("0", "0s"):
                _put(values, f"{limit}.{name}", least_of_all)
                warnings.append(f"{limit}.{name}: 0 is read as {least_of_all}")
    for name in _NANOSECONDS:
        value = _given(values, name)
        if type(value) is int and value:
            _put(values, name, f"{value}ns")
            warnings.append(f"{name}: {value} is read as nanoseconds; write it like 12h or 90s")


def choose_saml_target(values: Values, warnings: list[str]) -> None:
    """Give SAML somewhere to send browsers to where the file does not say; it need not."""
    target = _given(values, "saml.default_redirect_url")
    if _is_on(values, "saml.enabled") and not str(target or "").strip():
        url = _given(values, "server.public.url") or PublicListener().url
        _put(values, "saml.default_redirect_url", url)
        warnings.append("saml.default_redirect_url is not given; server.public.url is used")


def _number(values: Values, name: str) -> int | None:
    value = _given(values, name)
    try:
        value = parse_int(value) if isinstance(value, str) else value
    except ValueError:  # told by what converts it
        return None
    return value if type(value) is int else None


def _is_on(values: Values, name: str) -> bool:
    value = _given(values, name)
    try:
        return parse_bool(value) if isinstance(value, str) and value else bool(value)
    except ValueError:  # no truth, and so not true
        return False


def _given(values: Values, name: str) -> Any:  # noqa: ANN401  # plain values
    node: Any = values
    for key in name.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _taken(values: Values, name: str) -> Any:  # noqa: ANN401  # plain values
    """Take a value out, and sections that it leaves empty."""
    first, _, rest = name.partition(".")
    if not rest:
        return values.pop(first, None)
    node = values.get(first)
    if not isinstance(node, dict):
        return None
    value = _taken(node, rest)
    if value is not None and not node:
        del values[first]
    return value


def _put(values: Values, name: str, value: Any) -> None:  # noqa: ANN401  # plain values
    *sections, last = name.split(".")
    for key in sections:
        values[key] = values[key] if isinstance(values.get(key), dict) else {}
        values = values[key]
    values[last] = value
