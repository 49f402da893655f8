"""What is explored: each configuration of the lattice, with some kinds of users in each flow."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import cache
from uuid import UUID

import pytest
from flows.model import proofs
from flows.model.explorer import Explorer, Graph, Node, replace_offers
from flows.model.people import (
    ADDRESS,
    AT_GOOGLE,
    FEDERATED,
    FULL,
    KEY,
    NOBODY,
    SECOND,
    SECURITY_KEY,
    STRANGERS,
    UNPROVED,
    USERS,
    Kind,
)
from flows.model.settings import Values, lattice
from flows.model.world import ADA, NEW, User

import app.flows.profile_account
import app.flows.registration
import app.selfservice.own_credentials
import app.selfservice.service
import app.text

CONFIGURATIONS = tuple(lattice())
KINDS = (
    *(Kind(user) for user in USERS),
    Kind(FULL),
    Kind(FULL, is_trusted=True),
    Kind(FULL, has_eve=True),
    Kind(replace(FULL, addresses=(UNPROVED,))),
    Kind(User(ADA, "ada", (UNPROVED,), 1)),
    Kind(User(ADA, None, (ADDRESS,), 1, has_totp=True), is_trusted=True),
    Kind(User(ADA, None, (ADDRESS,), 1, (KEY,), has_totp=True), has_eve=True),
)
PROFILES = tuple(
    Kind(user, has_eve=True)
    for user in (
        replace(FULL, has_other_session=True),
        replace(FULL, addresses=(ADDRESS, SECOND)),
        User(ADA, None, (ADDRESS,), 1),
        User(ADA, None, (ADDRESS,), 0, (KEY,), has_totp=True),
        User(ADA, "ada", (), 1, (SECURITY_KEY,)),
        User(ADA, "ada", (UNPROVED,), 0, (KEY, SECURITY_KEY)),
        User(ADA, None, (ADDRESS,), 1, identities=AT_GOOGLE),
        User(ADA, None, identities=AT_GOOGLE),
    )
)
LIKELY = (
    User(ADA, "ada", (ADDRESS,), 1, (KEY,)),
    User(ADA, "ada", (ADDRESS,), 1),
    User(ADA, "ada", (), 1),
    User(ADA, "ada", (ADDRESS,), 0),
)
_HOST_KEY = cache(app.text._host_key)
_LOGINS = 3
"""How many kinds of users sign in under one configuration, beside nobody."""


@contextlib.asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


async def _one_at_a_time(_: UUID) -> bool:
    return True


def replace_edges(patch: pytest.MonkeyPatch) -> None:
    """Let what opens a transaction beside the engine, and what draws an id, do without.

    The same few hosts are folded over and over: once is enough.
    """
    replace_offers(patch)
    for module in (app.selfservice.service, app.selfservice.own_credentials):
        patch.setattr(module, "transaction", _nothing)
    patch.setattr(app.selfservice.service, "lock_user", _one_at_a_time)
    patch.setattr(app.flows.profile_account, "savepoint", _nothing)
    patch.setattr(app.flows.registration, "new_id", lambda: NEW)
    patch.setattr(app.text, "_host_key", _HOST_KEY)


def violations(explorer: Explorer, number: int) -> Iterator[str]:
    """Walk one configuration, and tell what breaks a rule, as one reads it."""
    values = CONFIGURATIONS[number]
    for flow, kind, found in _all(explorer, values, number):
        yield f"{flow} of {kind}: {found}\n  under {number}: {dict(values)}"


def walk(explorer: Explorer, number: int) -> None:
    """Walk what `violations` walks, and judge nothing of it."""
    values = CONFIGURATIONS[number]
    for kind in (NOBODY, *_kinds(values, number)):
        login(explorer, values, kind)
    registration(explorer, values)
    for kind in _federated(values, number):
        registration(explorer, values, kind)
        token_exchange(explorer, values, kind)
    profile(explorer, values, PROFILES[number % len(PROFILES)])


def _kinds(values: Values, number: int) -> Iterator[Kind]:
    federated = tuple(_federated(values, number))
    turns = _LOGINS - len(federated)
    yield from (KINDS[(number + 11 * turn) % len(KINDS)] for turn in range(turns))
    yield from federated


def _all(explorer: Explorer, values: Values, number: int) -> Iterator[tuple[str, Kind, str]]:
    yield from _logins(explorer, values, number)
    for found in of_registration(registration(explorer, values), values):
        yield "registration", NOBODY, found
    for kind in _federated(values, number):
        by_provider = registration(explorer, values, kind)
        for found in of_registration_by_provider(by_provider, values, kind):
            yield "registration", kind, found
        exchange = token_exchange(explorer, values, kind)
        for found in of_token_exchange(exchange, values, kind):
            yield "token exchange", kind, found
    kind = PROFILES[number % len(PROFILES)]
    for found in of_profile(profile(explorer, values, kind), values):
        yield "profile", kind, found


def _logins(explorer: Explorer, values: Values, number: int) -> Iterator[tuple[str, Kind, str]]:
    unknown = login(explorer, values, NOBODY)
    for found in of_login(unknown, values, NOBODY):
        yield "login", NOBODY, found
    for kind in _kinds(values, number):
        graph = login(explorer, values, kind)
        for found in of_login(graph, values, kind):
            yield "login", kind, found
        if is_alike(values, kind):
            nobody = login(explorer, values, STRANGERS) if kind.is_corporate else unknown
            for found in proofs.differences(graph, nobody):
                yield "login", kind, found
    for found in unlike_everybody(explorer, values, unknown):
        yield "login", NOBODY, found


def _federated(values: Values, number: int) -> Iterator[Kind]:
    if proofs.has_provider(values):
        yield FEDERATED[number % len(FEDERATED)]


def unlike_everybody(explorer: Explorer, values: Values, unknown: Graph) -> Iterator[str]:
    """(d) Where only what an account has is shown, nobody looks like some account all the same."""
    if not values["privacy.only_show_actual_login_methods"]:
        return
    found = []
    for user in LIKELY:
        graph = login(explorer, values, Kind(user))
        found = list(proofs.differences(graph, unknown))
        if not found:
            return
    yield f"(d) nobody looks like nobody: {found[0]}"


def login(explorer: Explorer, values: Values, kind: Kind) -> Graph:
    start = explorer.begin("login", kind.world, is_trusted=kind.is_trusted)
    return explorer.explore(values, start)


def of_login(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    yield from proofs.without_factors(graph, values, kind)
    yield from proofs.lacks_second(graph, values)
    yield from proofs.dead_ends(graph, values)
    yield from proofs.shut_out(graph, values, kind)
    yield from proofs.back_grants(graph, values, kind)
    yield from proofs.broken_promises(graph)


def is_alike(values: Values, kind: Kind) -> bool:
    """Say whether nobody can be told from this user, which is promised with hints off.

    A user name goes with an address or it does not, and a code is offered where it does; a name
    that is not known is taken to go with one where every account must have one (SEC-066). Where
    only what an account has is shown, see `unlike_everybody`.
    """
    user = kind.user
    if user is None or kind.has_eve or values["privacy.show_account_existence_hints"]:
        return False
    if bool(user.addresses) != (values["email.enabled"] and not values["email.optional"]):
        return False
    return not values["privacy.only_show_actual_login_methods"]


def registration(
    explorer: Explorer,
    values: Values,
    kind: Kind = Kind(None, has_eve=True),  # noqa: B008
) -> Graph:
    start = explorer.begin("registration", kind.world, is_trusted=kind.is_trusted)
    return explorer.explore(values, start)


def of_registration(graph: Graph, values: Values) -> Iterator[str]:
    yield from proofs.unproved_accounts(graph, values)
    yield from proofs.lacks_second(graph, values)
    yield from proofs.dead_ends(graph, values)
    yield from proofs.back_grants(graph, values, NOBODY)
    yield from proofs.broken_promises(graph)
    yield from proofs.sign_ups_differ(graph, values)


def of_registration_by_provider(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    """A registration signs in whom a provider knows, as a login does (Q-13)."""
    yield from proofs.without_factors(graph, values, kind)
    yield from proofs.unproved_accounts(graph, values)
    yield from proofs.lacks_second(graph, values)
    yield from proofs.dead_ends(graph, values)
    yield from proofs.back_grants(graph, values, kind)
    yield from proofs.broken_promises(graph)


def token_exchange(explorer: Explorer, values: Values, kind: Kind) -> Graph:
    start = explorer.begin("token_exchange", kind.world, is_trusted=kind.is_trusted)
    return explorer.explore(values, start)


def of_token_exchange(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    yield from of_registration_by_provider(graph, values, kind)
    yield from proofs.unfinished(graph, values, kind)


def profile(explorer: Explorer, values: Values, kind: Kind) -> Graph:
    start = explorer.begin("profile", kind.world)

    def stop(node: Node) -> bool:
        device = node.stash
        is_between = device.webauthn_available and not device.platform_authenticator
        has_changed = node.world.users != start.world.users
        return node.state == "profile_init" and (has_changed or is_between)

    return explorer.explore(values, start, stop=stop)


def of_profile(graph: Graph, values: Values) -> Iterator[str]:
    yield from proofs.profile_holds(graph, values)
    yield from proofs.stuck_profiles(graph)
    yield from proofs.back_grants(graph, values, NOBODY)
    yield from proofs.broken_promises(graph)
