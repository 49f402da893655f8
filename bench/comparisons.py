"""What is compared with what."""

from dataclasses import dataclass

from bench import asking
from bench.data import Filled
from bench.rounds import Comparison, Ratio, Trial
from bench.targets import Target

FEW, MANY = 16, 64
PAGES = 4
"""Connections: for most measures, for a crowd, and for pages of a hundred users."""

DEEP = 0.9
_ME = '"me":{"id":"'
_CHANGED = '"userErrors":[]'
_PAGE = '"endCursor":"'


@dataclass(frozen=True, slots=True)
class Stage:
    """One kind of database, and the servers that stand on it."""

    name: str
    large: Filled
    small: Filled
    floor: Target
    bare: Target | None
    server: Target
    server_on_small: Target
    stock: Target | None


def of(stage: Stage) -> list[Comparison]:
    """Give all comparisons on one kind of database."""
    return [_me(stage, FEW), _me(stage, MANY), _rest(stage), _writes(stage), _pages(stage)]


def across(postgres: Stage, sqlite: Stage) -> Comparison:
    """Compare the two databases."""
    trials = tuple(
        Trial(f"me, {stage.name}", stage.server, asking.me(stage.large), _ME)
        for stage in (sqlite, postgres)
    )
    ratio = Ratio("`me` on SQLite ÷ `me` on PostgreSQL", trials[0].name, trials[1].name, "≥ 1.0")
    return Comparison("both", FEW, trials, (ratio,))


def _me(stage: Stage, connections: int) -> Comparison:
    requests = asking.me(stage.large)
    goal = "≥ 0.35, later ≥ 0.70" if connections == FEW else "later ≥ 0.85"
    trials = [Trial("floor", stage.floor, requests, _ME), Trial("me", stage.server, requests, _ME)]
    ratios = [Ratio("`me` ÷ floor", "me", "floor", goal)]
    if stage.bare is not None:
        trials.append(Trial("floor without a pool", stage.bare, requests, _ME))
        ratios.append(Ratio("`me` ÷ floor without a pool", "me", "floor without a pool"))
    if stage.stock is not None and connections == FEW:
        trials.append(Trial("stock me", stage.stock, requests, _ME))
        ratios.append(Ratio("`me` ÷ stock `me`", "me", "stock me", "≥ 15"))
    return Comparison(stage.name, connections, tuple(trials), tuple(ratios))


def _rest(stage: Stage) -> Comparison:
    trials = (
        Trial("me", stage.server, asking.me(stage.large), _ME),
        Trial(
            "GET /sessions/validate",
            stage.server,
            asking.validate(stage.large),
            '"is_valid":true',
        ),
        Trial("JWKS", stage.server, asking.jwks(), '"keys":[{'),
    )
    ratios = (
        Ratio("`GET /sessions/validate` ÷ `me`", trials[1].name, "me", "≥ 0.7"),
        Ratio("JWKS ÷ `me`", "JWKS", "me"),
    )
    return Comparison(stage.name, FEW, trials, ratios)


def _writes(stage: Stage) -> Comparison:
    trials = (
        Trial("floor", stage.floor, asking.me(stage.large), _ME),
        Trial("write floor", stage.floor, asking.write(stage.large), '"updateMe":{"id"'),
        Trial("updateMe", stage.server, asking.update_me(stage.large), _CHANGED),
        Trial(
            "updateUserMetadata",
            stage.server,
            asking.update_metadata(stage.large),
            _CHANGED,
        ),
    )
    ratios = tuple(
        Ratio(f"`{name}` ÷ {base}", name, base, "≥ 0.35" if base == "floor" else "")
        for name in ("updateMe", "updateUserMetadata")
        for base in ("floor", "write floor")
    )
    return Comparison(stage.name, FEW, trials, ratios)


def _pages(stage: Stage) -> Comparison:
    small, large = f"{stage.small.users:,}", f"{stage.large.users:,}"
    trials = (
        Trial(
            f"users(first: 100) of {small}", stage.server_on_small, asking.users(stage.small), _PAGE
        ),
        Trial(f"users(first: 100) of {large}", stage.server, asking.users(stage.large), _PAGE),
        Trial(
            f"the same, behind {DEEP:.0%} of them",
            stage.server,
            asking.users(stage.large, DEEP),
            _PAGE,
        ),
    )
    few, first, deep = (trial.name for trial in trials)
    ratios = (  # times, so the other way round than rates
        Ratio(f"page of {large} users ÷ page of {small}, time", few, first, "≤ 1.3"),
        Ratio(f"page behind {DEEP:.0%} ÷ first page, time", first, deep, "≤ 1.3"),
    )
    return Comparison(stage.name, PAGES, trials, ratios)
