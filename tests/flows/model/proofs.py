"""What must be true of everything that can be reached; each check tells what breaks it.

What an account requires is said here anew, from the configuration and the user alone: nothing of
the code that is judged takes part in judging it.
"""

from collections.abc import Iterator

from flows.model.explorer import ENDS, Edge, Graph, Node
from flows.model.people import Kind
from flows.model.settings import Values
from flows.model.world import ADA, BROUGHT, NEW, User

SECONDS = frozenset({"security_key", "totp", "recovery_code"})


def has_second(values: Values, user: User) -> bool:
    """Say whether one of the user's second factors counts."""
    app = values["mfa.totp.enabled"] and user.has_totp
    key = values["mfa.security_keys.enabled"] and bool(user.security_keys)
    return values["mfa.enabled"] and (app or key)


def firsts_that_count(values: Values) -> frozenset[str]:
    """Name the proofs that are a first factor under a configuration."""
    by_mail = values["email.enabled"] and (
        values["email.use_for_authentication"]
        or (values["password.enabled"] and values["password.recovery"])
    )
    return frozenset(
        name
        for name, counts in (
            ("password", values["password.enabled"]),
            ("mail", by_mail),
            ("passkey", values["passkey.enabled"]),
            ("verified_passkey", values["passkey.enabled"]),
            ("provider", has_provider(values)),
        )
        if counts
    )


def has_provider(values: Values) -> bool:
    """Say whether somebody can come from a provider."""
    return bool(values["third_party.providers.google.enabled"] or values["saml.enabled"])


def has_identity(values: Values, user: User) -> bool:
    """Say whether a user is known to a provider that is on."""
    google = values["third_party.providers.google.enabled"]
    ways = ("google/",) * bool(google) + ("saml/",) * bool(values["saml.enabled"])
    return any(one.startswith(ways) for one in user.identities)


def too_little(values: Values, kind: Kind) -> Iterator[tuple[str, frozenset[str]]]:
    """List the largest sets of proofs that must not open the account, by the proofs they lack."""
    yield "no first factor that counts", firsts_that_count(values)
    user = kind.user
    if user is None or (kind.is_trusted and values["mfa.device_trust_policy"] != "never"):
        return
    if has_second(values, user):
        # the mail of an address that was never proved voids what was there before (SEC-064)
        mail = frozenset() if user.is_proved or not user.addresses else frozenset({"mail"})
        passkeys = frozenset({"passkey", "verified_passkey"})
        yield "password, mail and provider, no second factor", SECONDS | passkeys | mail
        rest = frozenset({"password", "mail", "verified_passkey", "provider"})
        yield "an unverified passkey alone", SECONDS | rest


def entries(graph: Graph) -> list[Edge]:
    """The steps that say what the device can do: all else follows from one of them."""
    return graph.edges[graph.start]


def without_factors(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    """(a) Nothing reaches `success` as Ada without every factor that the account requires."""
    for why, lacking in too_little(values, kind):
        for node in graph.reach(graph.start, without=lacking):
            if ADA in node.world.signed_in:
                path = graph.path(node, without=lacking)
                yield f"(a) signed in with {why}: {path}"
                break
    for node in graph.edges:
        if node.world.signed_in and node.state != "success":
            yield f"(a) a session in {node.state}: {graph.path(node)}"


def dead_ends(graph: Graph, values: Values) -> Iterator[str]:
    """(b) Something is offered in every state, and from everywhere a client comes to an end."""
    finishing = graph.finishing(ENDS)
    for node in graph.edges:
        if node.state not in ENDS and not graph.offered[node] and not _is_shut(node, values):
            yield f"(b) nothing is offered: {graph.path(node)}"
    for entry in entries(graph):
        if entry.target not in finishing:
            continue  # who owns nothing that opens the account; see `shut_out`
        for node in graph.reach(entry.target):
            if node not in finishing and graph.offered[node]:
                yield f"(b) no end is reached from here: {graph.path(node)}"


def _is_shut(node: Node, values: Values) -> bool:
    """Say whether a configuration leaves nothing to do on the first page, with this device."""
    if node.state == "registration_init":
        by_mail = values["email.enabled"] and values["email.acquire_on_registration"]
        by_name = values["username.enabled"] and values["username.acquire_on_registration"]
        return not values["account.allow_signup"] or not (by_mail or by_name)
    if node.state != "login_init":
        return False
    by_mail, by_name = _identifiers(values)
    proves = values["password.enabled"] or values["email.use_for_authentication"]
    by_passkey = values["passkey.enabled"] and node.stash.webauthn_available
    return not by_passkey and not ((by_mail or by_name) and proves)


def _identifiers(values: Values) -> tuple[bool, bool]:
    by_mail = values["email.enabled"] and values["email.use_as_login_identifier"]
    return by_mail, values["username.enabled"] and values["username.use_as_login_identifier"]


def can_sign_in(values: Values, kind: Kind, *, webauthn: bool) -> bool:
    """Say whether a user owns what opens the account, on a device with WebAuthn or without."""
    user = kind.user
    if user is None:
        return False
    by_mail, by_name = _identifiers(values)
    is_named = (by_mail and bool(user.addresses)) or (by_name and user.username is not None)
    is_named = is_named and not (values["saml.enabled"] and kind.is_corporate)
    code = values["email.enabled"] and values["email.use_for_authentication"] and user.addresses
    password = values["password.enabled"] and user.password
    passkey = values["passkey.enabled"] and webauthn and user.passkeys
    identity = has_identity(values, user) and (
        "google/ada" in user.identities or (by_mail and kind.is_corporate)
    )
    first = bool(passkey or identity or (is_named and (code or password)))
    by_app = values["mfa.totp.enabled"] and user.has_totp
    is_platform = values["mfa.security_keys.authenticator_attachment"] == "platform"
    by_key = webauthn and not is_platform
    if not has_second(values, user):
        return first and (_may_lack_second(values, user) or by_key)
    return first and (by_app or by_key)


def _may_lack_second(values: Values, user: User) -> bool:
    """Say whether a user goes without a second factor, or can make one on any device (Q-39)."""
    asks = values["mfa.enabled"] and values["mfa.acquire_on_login"]
    must = asks and not values["mfa.optional"] and values["mfa.security_keys.enabled"]
    return bool(not must or values["mfa.totp.enabled"] or user.has_totp or user.security_keys)


def shut_out(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    """(b) Who owns what opens the account signs in, whatever else the device lacks."""
    for entry in entries(graph):
        webauthn = entry.target.stash.webauthn_available
        opened = any(ADA in node.world.signed_in for node in graph.reach(entry.target))
        if can_sign_in(values, kind, webauthn=webauthn) and not opened:
            yield f"(b) an owner is shut out: {graph.path(entry.target)}"


def unfinished(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    """(b) Who owns an identity and the second factor gets in with a token alone."""
    user = kind.user
    google = values["third_party.providers.google.enabled"]
    if user is None or not google or not any(one.startswith("google") for one in user.identities):
        return
    if can_sign_in(values, kind, webauthn=True) and not any(
        ADA in node.world.signed_in for node in graph.reach(graph.start)
    ):
        yield "(b) an owner of an identity is shut out of the token exchange"


def back_grants(graph: Graph, values: Values, kind: Kind) -> Iterator[str]:
    """(c) Whatever is reached by going back is reached without it, whatever a client can prove."""
    sets = [frozenset[str](), *(lacking for _, lacking in too_little(values, kind))]
    for lacking in sets:
        straight = {n.essence for n in graph.reach(graph.start, without=lacking, back=False)}
        for node in graph.reach(graph.start, without=lacking):
            if node.essence not in straight:
                yield f"(c) only by going back: {graph.path(node, without=lacking)}"
                break


def broken_promises(graph: Graph) -> Iterator[str]:
    """What is shown as offered is accepted, nothing else is, and no step fails."""
    for node, edges in graph.edges.items():
        for edge in edges:
            if edge.answer is None and _is_refused_token(edge):
                continue
            if edge.answer is None:
                yield f"(b) {edge.label} fails with {edge.failure}: {graph.path(node)}"
                continue
            shown = {name for name, _ in edge.answer.actions}
            accepted = graph.offered.get(edge.target, shown)
            if accepted != shown:
                both = f"shown {sorted(shown)}, accepted {sorted(accepted)}"
                yield f"(b) {both}: {graph.path(edge.target)}"


def _is_refused_token(edge: Edge) -> bool:
    """Say whether a token was not redeemed, which leaves the flow where it is (Q-12)."""
    code = "technical_error" if edge.sent.label == "bad" else "operation_not_permitted_error"
    return edge.action == "exchange_token" and edge.failure == code


def lacks_second(graph: Graph, values: Values) -> Iterator[str]:
    """(a) Where an account must have a second factor, none is made or signed in without."""
    for node in graph.edges:
        if node.state != "success":
            continue
        (user_id,) = node.world.signed_in
        user = node.world.user(user_id)
        first = graph.start.world.user(user_id) or user  # what is added later is asked for later
        is_new = graph.start.world.user(user_id) is None
        asks = "mfa.acquire_on_registration" if is_new else "mfa.acquire_on_login"
        methods = values["mfa.totp.enabled"] or values["mfa.security_keys.enabled"]
        must = values["mfa.enabled"] and not values["mfa.optional"] and values[asks] and methods
        by_code = values["email.enabled"] and values["email.use_for_authentication"]
        adds = (values["password.enabled"] and first.password) or (by_code and first.addresses)
        adds = adds or node.stash.third_party_provider
        if must and adds and not user.has_totp and not user.security_keys:
            yield f"(a) an account without a second factor: {graph.path(node)}"


def unproved_accounts(graph: Graph, values: Values) -> Iterator[str]:
    """(a) A registration makes no account with an address that had to be proved and was not.

    Who was brought by a provider is there before, and does not get in before.
    """
    mail = frozenset({"mail"})
    for node in graph.edges:
        brought = node.world.user(BROUGHT)
        if brought is not None and node.state == "success" and _lacks_proof(values, brought):
            yield f"(a) an unproved address: {graph.path(node)}"
        user = node.world.user(NEW)
        if user is None:
            continue
        if node.state != "success":
            yield f"(a) an account in {node.state}: {graph.path(node)}"
        if _lacks_proof(values, user):
            yield f"(a) an unproved address: {graph.path(node)}"
    if values["email.require_verification"]:
        for node in graph.reach(graph.start, without=mail):
            user = node.world.user(NEW)
            if user is not None and user.addresses:
                yield f"(a) an address without its mail: {graph.path(node, without=mail)}"


def _lacks_proof(values: Values, user: User) -> bool:
    return bool(values["email.require_verification"] and user.addresses and not user.is_proved)


def sign_ups_differ(graph: Graph, values: Values) -> Iterator[str]:
    """(d) Who signs up sees the same of an address that is free and of one that somebody has."""
    if values["privacy.show_account_existence_hints"] or not values["email.require_verification"]:
        return
    for node in graph.edges:
        sent = {edge.sent.label: edge for edge in graph.edges[node] if edge.action == _SIGN_UP}
        if sent:
            yield from _unlike(sent["both"], sent["taken address"], graph, graph)


_SIGN_UP = "register_login_identifier"


def differences(known: Graph, unknown: Graph) -> Iterator[str]:
    """(d) Who knows nothing sees the same of an account and of none, wherever they go."""
    yield from _walk(known, unknown, [(known.start, unknown.start, "preflight")])


def _unlike(one: Edge, other: Edge, mine: Graph, theirs: Graph) -> Iterator[str]:
    if one.answer != other.answer:
        yield f"(d) {one.label} and {other.label} differ:\n  {one.answer}\n  {other.answer}"
    yield from _walk(mine, theirs, [(one.target, other.target, one.label)])


def _walk(known: Graph, unknown: Graph, todo: list[tuple[Node, Node, str]]) -> Iterator[str]:
    """Walk two graphs side by side, wherever it takes no knowledge to go."""
    seen = set()
    while todo:
        one, other, path = todo.pop()
        if (one, other) in seen:
            continue
        seen.add((one, other))
        mine = {edge.label: edge for edge in known.edges[one] if not _proves(edge)}
        theirs = {edge.label: edge for edge in unknown.edges[other] if not _proves(edge)}
        if known.offered[one] != unknown.offered[other]:
            yield f"(d) other actions are offered: {path}"
            return
        for label in mine.keys() & theirs.keys():
            edge, same = mine[label], theirs[label]
            way = f"{path}; {label}"
            if edge.answer != same.answer or edge.failure != same.failure:
                yield f"(d) known and unknown differ: {way}\n  {edge.answer}\n  {same.answer}"
                return
            todo.append((edge.target, same.target, way))


def _proves(edge: Edge) -> bool:
    return edge.sent.proof is not None or "right" in edge.sent.label


def profile_holds(graph: Graph, values: Values) -> Iterator[str]:
    """(a) No change of a profile shuts its user out, or takes a factor that must be (SEC-037).

    By induction: every kind of user is a beginning, and a walk ends where the account has changed.
    """
    before = graph.start.world.user(ADA)
    if before is None:
        raise AssertionError("a profile without a user")
    for node in graph.edges:
        if node.world.signed_in:
            yield f"(a) a session in a profile: {graph.path(node)}"
        after = node.world.user(ADA)
        if after is not None:
            yield from _keeps(graph, values, node, before, after)
        elif node.state != "account_deleted" or not values["account.allow_deletion"]:
            yield f"(a) the account is gone: {graph.path(node)}"
    yield from _gains(graph, values, before)


def _keeps(graph: Graph, values: Values, node: Node, before: User, after: User) -> Iterator[str]:
    if is_open(values, before) and not is_open(values, after):
        yield f"(a) shut out: {graph.path(node)}"
    had = has_second(values, before)
    if had and not values["mfa.optional"] and not has_second(values, after):
        yield f"(a) the last second factor is gone: {graph.path(node)}"


def _gains(graph: Graph, values: Values, before: User) -> Iterator[str]:
    """See that no address is added, or taken as proved, without its mail or who vouches for it."""
    if not values["email.require_verification"]:
        return
    for node in graph.reach(graph.start, without=frozenset({"mail", "provider"})):
        after = node.world.user(ADA)
        if after is not None and _gained(before, after):
            yield f"(a) an address without its mail: {graph.path(node)}"


def is_open(values: Values, user: User) -> bool:
    """Say whether a user can sign in somewhere."""
    by_mail, by_name = _identifiers(values)
    is_named = (by_mail and bool(user.addresses)) or (by_name and user.username is not None)
    reads = user.is_proved or (user.addresses and not values["email.require_verification"])
    code = values["email.enabled"] and values["email.use_for_authentication"] and reads
    password = values["password.enabled"] and user.password
    passkey = values["passkey.enabled"] and user.passkeys
    return bool(passkey or has_identity(values, user) or (is_named and (code or password)))


def _gained(before: User, after: User) -> bool:
    proved = {address.text for address in before.addresses if address.is_verified}
    known = {address.text for address in before.addresses}
    return any(
        a.text not in known or (a.is_verified and a.text not in proved) for a in after.addresses
    )


def stuck_profiles(graph: Graph) -> Iterator[str]:
    """(b) From every state of a profile a client comes back to its first page, or to an end."""
    finishing = graph.finishing((*ENDS, "profile_init"))
    for node in graph.edges:
        if node not in finishing:
            yield f"(b) no way back to the profile: {graph.path(node)}"
