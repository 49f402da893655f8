"""The services that flows call, over a `World` instead of a database.

Each double has the methods that flows use, with the signatures of the real ones (a test holds them
to that), and keeps the rules that a flow can see. What takes its time or draws lots is left out: a
right password is RIGHT, and a right code is CODE.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from flows.model.moments import NOW, clock
from flows.model.world import (
    BROUGHT,
    CORPORATE,
    OTHER_SESSION,
    PROVIDER_IDS,
    SESSION,
    Address,
    Code,
    Key,
    User,
    World,
    account_of,
    email_of,
    identity_of,
    passkey_of,
)

from app.access import Origin
from app.credentials import recovery_codes, totp
from app.credentials.errors import (
    PasskeyLimitReached,
    PasskeyNotFound,
    PasskeysDisabled,
    PasswordNotFound,
    PasswordsDisabled,
    PasswordTooShort,
    TotpExists,
    TotpNotFound,
)
from app.credentials.passcodes import Binding, Exhausted, Expired, Matched, NewPasscode
from app.credentials.passkey_values import LIMIT, Accepted, Counts, Refused, Registered
from app.credentials.passwords import NoPassword, PreparedPassword, Verified, Wrong
from app.credentials.webauthn_verify import NewCredential
from app.errors import NotFound
from app.federation.admission import Redeemed
from app.federation.connector import Provider
from app.federation.errors import ProviderDisabled, RedirectNotAllowed, TokenUnknown
from app.federation.linking import Facts, Refusal, SignUp, decide
from app.federation.sign_in import Begun
from app.metadata import UNSET, Bags
from app.paging import Page
from app.selfservice import OwnCredentials, SelfService
from app.sessions import Draft, Issued, Session, SessionNotFound
from app.users import EmailTaken, UsernameTaken

GOOGLE = Provider("google", "Google", allow_linking=True)
COMPANY = Provider(PROVIDER_IDS["saml"], "The company", allow_linking=True, is_saml=True)
TARGET = "https://app.example.com"
RIGHT = "a lamp in the window"
FRESH = "another lamp, another window"
CODE = "123456"
RECOVERY = "recovery"
NEW_KEY, NEW_SECURITY_KEY = "newkey00", "newkey01"
GOOD = b"good"
VERIFIED = b"verified"


@dataclass(slots=True)
class Place:
    """Where the world stands at the moment."""

    world: World = field(default_factory=World)

    def user(self, user_id: UUID) -> User:
        found = self.world.user(user_id)
        if found is None:
            raise NotFound(path=("user_id",))
        return found

    def change(self, user_id: UUID, **changes: Any) -> User:
        user = replace(self.user(user_id), **changes)
        self.world = self.world.with_user(user)
        return user


@dataclass(frozen=True, slots=True)
class Users:
    place: Place
    config: Any

    async def by_id(self, user_id):
        user = self.place.world.user(user_id)
        return None if user is None else account_of(user)

    async def by_email(self, address):
        user = self.place.world.by_address(address)
        return None if user is None else account_of(user)

    async def by_username(self, username):
        user = self.place.world.by_name(username)
        return None if user is None else account_of(user)

    async def emails_of(self, user_ids):
        found = {user_id: self.place.world.user(user_id) for user_id in user_ids}
        return {
            user_id: [email_of(user_id, one) for one in user.addresses] if user else []
            for user_id, user in found.items()
        }

    async def create(self, actor, new, *, then=None, ways_in=None, is_addressed_otherwise=False):
        emails = tuple(
            Address(_address_id(one.address), one.address, one.is_primary, one.is_verified)
            for one in new.emails
        )
        name = new.profile.username
        user = User(new.id, None if name is UNSET else name, emails)
        if not emails and user.username is None:
            raise AssertionError("an account without an identifier")
        self.place.world = self.place.world.with_user(user)
        if then is not None:
            await then(user.id)
        return account_of(user), Bags(user.id)

    async def update(self, actor, user_id, changes):
        if changes.username is UNSET:
            raise AssertionError("flows change nothing else of a profile")
        owner = self.place.world.by_name(changes.username or "")
        if owner is not None and owner.id != user_id:
            raise UsernameTaken
        return account_of(self.place.change(user_id, username=changes.username))

    async def stamp_of(self, user_id):
        return None if self.place.world.user(user_id) is None else 0

    async def note_sign_in(self, user_id):
        self.place.user(user_id)

    async def delete(self, actor, user_id):
        self.place.user(user_id)
        self.place.world = self.place.world.without(user_id)

    async def add_email(self, actor, user_id, new):
        if self.place.world.by_address(new.address) is not None:
            raise EmailTaken
        mine = self.place.user(user_id).addresses
        is_primary = new.is_primary or not mine
        others = tuple(replace(a, is_primary=False) if is_primary else a for a in mine)
        added = Address(_address_id(new.address), new.address, is_primary, new.is_verified)
        self.place.change(user_id, addresses=(*others, added))
        return email_of(user_id, added)

    async def set_primary_email(self, actor, user_id, email_id):
        mine = self.place.user(user_id).addresses
        changed = tuple(replace(one, is_primary=one.id == email_id) for one in mine)
        self.place.change(user_id, addresses=changed)
        return self._one(user_id, email_id)

    async def verify_email(self, actor, user_id, email_id):
        mine = self.place.user(user_id).addresses
        changed = tuple(replace(a, is_verified=a.is_verified or a.id == email_id) for a in mine)
        self.place.change(user_id, addresses=changed)
        return self._one(user_id, email_id)

    async def delete_email(self, actor, user_id, email_id):
        self._one(user_id, email_id)
        mine = self.place.user(user_id).addresses
        self.place.change(user_id, addresses=tuple(one for one in mine if one.id != email_id))

    def _one(self, user_id, email_id):
        mine = self.place.user(user_id).addresses
        found = next((one for one in mine if one.id == email_id), None)
        if found is None:
            raise NotFound(path=("email_id",))
        return email_of(user_id, found)


def _address_id(text: str) -> UUID:
    return UUID(bytes=text.encode()[:16].ljust(16, b"\0"))


@dataclass(frozen=True, slots=True)
class Passwords:
    place: Place
    config: Any

    async def verify(self, user_id, password):
        user = self.place.world.user(user_id)
        if user is None:
            return Wrong()
        if not user.password or not self.config.password.enabled:
            return NoPassword()
        right = RIGHT if user.password == 1 else FRESH
        return Verified(UUID(int=user.password)) if password == right else Wrong()

    async def still_holds(self, user_id, verified):
        user = self.place.world.user(user_id)
        return user is not None and UUID(int=user.password) == verified.password_id

    async def changed_at(self, user_id):
        user = self.place.world.user(user_id)
        return NOW if user is not None and user.password else None

    async def prepare(self, password, identifiers=()):
        if not self.config.password.enabled:
            raise PasswordsDisabled
        if len(password) < self.config.password.min_length:
            raise PasswordTooShort(self.config.password.min_length)
        return PreparedPassword(password, imported=False)

    async def store(self, actor, user_id, prepared, context):
        self.place.change(user_id, password=2)

    async def delete(self, actor, user_id, *, then=None):
        if not self.place.user(user_id).password:
            raise PasswordNotFound
        self.place.change(user_id, password=0)


@dataclass(frozen=True, slots=True)
class Passkeys:
    place: Place
    config: Any

    def rules_of(self, kind):
        rules = self.config.passkey if kind == "passkey" else self.config.mfa.security_keys
        if not rules.enabled:
            raise PasskeysDisabled
        return rules

    async def keep(self, actor, user_id, new):
        kind = "security_key" if new.is_mfa_only else "passkey"
        user = self.place.user(user_id)
        if self._number(user_id, kind) >= self.rules_of(kind).limit:
            return Refused(LIMIT)
        key = Key(new.credential_id, new.is_mfa_only)
        if self.place.world.owner(key.name) is not None:
            return Refused("taken")
        self.place.change(user_id, keys=(*user.keys, key))
        return Registered(passkey_of(user_id, key))

    async def list(self, user_id):
        user = self.place.world.user(user_id)
        return [passkey_of(user_id, key) for key in user.keys] if user is not None else []

    async def count_of(self, user_id):
        return Counts(self._number(user_id, "passkey"), self._number(user_id, "security_key"))

    def _number(self, user_id, kind):
        user = self.place.world.user(user_id)
        if user is None:
            return 0
        return len(user.passkeys if kind == "passkey" else user.security_keys)

    async def rename(self, actor, user_id, credential_id, name):
        return self._mine(user_id, credential_id)

    async def delete(self, actor, user_id, credential_id):
        deleted = self._mine(user_id, credential_id)
        keys = self.place.user(user_id).keys
        self.place.change(user_id, keys=tuple(one for one in keys if one.name != credential_id))
        return deleted

    def _mine(self, user_id, credential_id):
        keys = self.place.user(user_id).keys
        found = next((one for one in keys if one.name == credential_id), None)
        if found is None:
            raise PasskeyNotFound
        return passkey_of(user_id, found)


@dataclass(frozen=True, slots=True)
class PasskeyCeremonies:
    place: Place
    config: Any
    passkeys: Passkeys

    async def begin_registration(self, person, kind="passkey", *, bound_to=None):
        if self.passkeys._number(person.id, kind) >= self.passkeys.rules_of(kind).limit:
            raise PasskeyLimitReached
        self.place.world = replace(self.place.world, making=kind)
        return {"challenge": kind}

    async def finish_registration(self, actor, user_id, response, *, bound_to=None):
        new = await self.check_registration(actor, user_id, response, bound_to=bound_to)
        return new if isinstance(new, Refused) else await self.passkeys.keep(actor, user_id, new)

    async def check_registration(self, actor, user_id, response, *, bound_to=None):
        kind = self.place.world.making
        self.place.world = replace(self.place.world, making="")
        if not kind or response.client_data != GOOD:
            return Refused("challenge")
        name = NEW_KEY if kind == "passkey" else NEW_SECURITY_KEY
        flags = {"is_backup_eligible": False, "is_backed_up": False, "is_user_verified": True}
        return NewCredential(
            name, b"", 0, UUID(int=0), "none", (), is_mfa_only=kind == "security_key", **flags
        )

    async def begin_login(self, user_id=None, *, both_factors=False, bound_to=None):
        self.passkeys.rules_of("passkey")
        user = self.place.world.user(user_id)
        allowed = tuple(key.name for key in user.passkeys) if user is not None else ()
        return {"challenge": "login"} | ({"allowCredentials": allowed} if allowed else {})

    async def finish_login(self, actor, response, *, bound_to=None):
        """Judge an assertion, as if a challenge of this flow were always at hand."""
        self.passkeys.rules_of("passkey")
        return self._judged(response, (), mfa_only=False)

    async def begin_second_factor(self, user_id, *, used=None, bound_to=None):
        self.passkeys.rules_of("security_key")
        mine = self.place.user(user_id)
        keys = mine.keys if self.config.passkey.enabled else mine.security_keys
        offered = tuple(key.name for key in keys if passkey_of(user_id, key).id != used)
        if not offered:
            raise PasskeyNotFound
        self.place.world = replace(self.place.world, second=offered)
        return {"challenge": "second", "allowCredentials": offered}

    async def finish_second_factor(self, actor, user_id, response, *, bound_to=None):
        self.passkeys.rules_of("security_key")
        allowed = self.place.world.second
        self.place.world = replace(self.place.world, second=())
        owner = self.place.world.owner(response.credential_id)
        if owner is None or owner.id != user_id:
            return Refused("user")
        return self._judged(response, allowed or None, mfa_only=True)

    def _judged(self, response, allowed, *, mfa_only):
        if allowed is None or not response.client_data.startswith(GOOD):
            return Refused("challenge")
        owner = self.place.world.owner(response.credential_id)
        if owner is None or (allowed and response.credential_id not in allowed):
            return Refused("unknown")
        key = next(one for one in owner.keys if one.name == response.credential_id)
        if key.is_mfa_only and not mfa_only:
            return Refused("mfa_only")
        is_verified = response.client_data == GOOD + VERIFIED
        return Accepted(owner.id, passkey_of(owner.id, key), is_user_verified=is_verified)


@dataclass(frozen=True, slots=True)
class Passcodes:
    place: Place

    async def issue(self, binding, *, is_decoy=False):
        self.place.world = replace(self.place.world, code=Code(binding.parts, is_decoy))
        return NewPasscode(CODE, NOW + timedelta(minutes=5))

    async def is_live(self, binding: Binding):
        code = self.place.world.code
        return code is not None and not code.is_dead and code.binding == binding.parts

    async def verify(self, binding: Binding, code, *, known_browser=False):
        mine = self.place.world.code
        if mine is None:
            return Expired()
        if mine.is_dead:
            return Exhausted()
        if code != CODE or mine.is_decoy or mine.binding != binding.parts:
            self.place.world = replace(self.place.world, code=replace(mine, is_dead=True))
            return Exhausted()
        self.place.world = replace(self.place.world, code=None)
        return Matched()


@dataclass(frozen=True, slots=True)
class Totp:
    place: Place
    devices: "TrustedDevices"

    def offer(self, account, secret=None):
        return SimpleNamespace(secret="SECRET", png="data:", svg="<svg/>")

    def prove(self, secret, code):
        if len(code) != len(CODE):
            return totp.Malformed()
        return totp.Accepted(1) if secret == "SECRET" and code == CODE else totp.Wrong()

    async def store(self, actor, user_id, secret, proof):
        if self.place.user(user_id).has_totp:
            raise TotpExists
        self.place.change(user_id, has_totp=True)
        await self.devices.forget_all(actor, user_id)
        return UUID(int=1)

    async def verify(self, user_id, code):
        if len(code) != len(CODE):
            return totp.Malformed()
        user = self.place.world.user(user_id)
        right = user is not None and user.has_totp and code == CODE
        return totp.Accepted(1) if right else totp.Wrong()

    async def of(self, user_id):
        user = self.place.world.user(user_id)
        if user is None or not user.has_totp:
            return None
        return totp.Authenticator(UUID(int=1), NOW)

    async def delete(self, actor, user_id):
        if not self.place.user(user_id).has_totp:
            raise TotpNotFound
        self.place.change(user_id, has_totp=False)
        await self.devices.forget_all(actor, user_id)


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    place: Place

    async def redeem(self, actor, user_id, text):
        user = self.place.world.user(user_id)
        if user is None or not user.has_recovery or text != RECOVERY:
            return recovery_codes.Wrong()
        self.place.change(user_id, has_recovery=False)
        return recovery_codes.Accepted(0)

    async def left(self, user_id):
        user = self.place.world.user(user_id)
        return int(user is not None and user.has_recovery)

    async def delete(self, actor, user_id):
        self.place.change(user_id, has_recovery=False)


@dataclass(frozen=True, slots=True)
class TrustedDevices:
    place: Place
    config: Any

    async def issue(self, actor, user_id, cookie=""):
        self._trust(self.place.world.trusted | {user_id})
        return "trusted"

    async def is_trusted(self, user_id, cookie):
        if self.config.mfa.device_trust_policy == "never":
            return False
        return bool(cookie) and user_id in self.place.world.trusted

    async def forget_all(self, actor, user_id):
        count = int(user_id in self.place.world.trusted)
        self._trust(self.place.world.trusted - {user_id})
        return count

    def _trust(self, trusted):
        self.place.world = replace(self.place.world, trusted=trusted)


@dataclass(frozen=True, slots=True)
class Federation:
    place: Place
    config: Any

    def providers(self):
        return [GOOGLE] if self.config.third_party.providers.google.enabled else []

    def provider(self, provider_id):
        if provider_id == COMPANY.id and self.config.saml.enabled:
            return COMPANY
        return next((one for one in self.providers() if one.id == provider_id), None)

    async def get_ready(self, provider_id):
        assert self.provider(provider_id)

    async def begin(self, request):
        if request.redirect_to != TARGET:
            raise RedirectNotAllowed
        return Begun("https://google.example", "secret")

    async def redeem(self, actor, token, wanted):
        """Redeem what `sending.token_of` has made; the decision is the real one."""
        name, *told = token.split(" ")
        kind = name.partition("/")[0]
        if kind not in PROVIDER_IDS:
            raise TokenUnknown
        provider = self.provider(PROVIDER_IDS[kind])
        if provider is None:
            raise ProviderDisabled
        address = told[0] if self.config.email.enabled else ""
        decision = decide(self._facts(name, address, wanted.user_id, is_vouched=bool(told[1])))
        if isinstance(decision, Refusal):
            raise decision.error
        if isinstance(decision, SignUp):
            user = self._made(name, address if decision.with_address else "", bool(told[1]))
        else:
            user = self._entered(name, decision, address, is_vouched=bool(told[1]))
        mine = next((one for one in user.addresses if one.text == address), None)
        return Redeemed(
            user.id,
            identity_of(user.id, name),
            provider,
            created=isinstance(decision, SignUp),
            address=mine.text if mine else None,
            address_is_proved=mine is not None and mine.is_verified,
        )

    def _facts(self, name, address, asked_by, *, is_vouched):
        world = self.place.world
        owner = world.by_identity(name)
        here = world.by_address(address) if address else None
        mine = here.addresses if here else ()
        return Facts(
            owner=owner.id if owner else None,
            asked_by=asked_by,
            has_address=bool(address),
            is_vouched=is_vouched,
            address_owner=here.id if here else None,
            is_proved=any(one.text == address and one.is_verified for one in mine),
            allows_linking=True,
            is_saml=name.startswith("saml"),
            in_domain=True,
            allows_signup=self.config.account.allow_signup,
            shows_existence=self.config.privacy.show_account_existence_hints,
        )

    def _made(self, name, address, is_vouched):
        mine = Address(_address_id(address), address, is_verified=is_vouched)
        user = User(BROUGHT, None, (mine,) if address else (), identities=(name,))
        self.place.world = self.place.world.with_user(user)
        return user

    def _entered(self, name, decision, address, *, is_vouched):
        user = self.place.user(decision.user_id)
        proves = decision.address == "own" and is_vouched
        addresses = tuple(
            replace(one, is_verified=one.is_verified or (proves and one.text == address))
            for one in user.addresses
        )
        names = tuple(dict.fromkeys((*user.identities, name)))
        return self.place.change(user.id, addresses=addresses, identities=names)

    async def note_refusal(self, actor, error, provider=""):
        return None

    async def identities_of(self, user_ids):
        found = {user_id: self.place.world.user(user_id) for user_id in user_ids}
        return {
            user_id: [identity_of(user_id, one) for one in user.identities] if user else []
            for user_id, user in found.items()
        }

    def shown(self, identities):
        found = ((one, self.provider(one.provider)) for one in identities)
        return [(one, provider) for one, provider in found if provider is not None]

    async def disconnect(self, actor, user_id, identity_id):
        mine = self.place.user(user_id).identities
        (gone,) = (one for one in mine if identity_of(user_id, one).id == identity_id)
        self.place.change(user_id, identities=tuple(one for one in mine if one != gone))
        return identity_of(user_id, gone)

    async def forget_all(self, actor, user_id):
        count = len(self.place.user(user_id).identities)
        self.place.change(user_id, identities=())
        return count


@dataclass(frozen=True, slots=True)
class Saml:
    config: Any

    def provider_for_address(self, address):
        at_work = address.endswith(f"@{CORPORATE}")
        return CORPORATE if at_work and self.config.saml.enabled else None

    async def get_ready(self, domain):
        assert domain == CORPORATE

    async def begin(self, wanted):
        return Begun("https://idp.corp.example/sso", "secret")


@dataclass(frozen=True, slots=True)
class Tokens:
    async def read(self, token):
        return SimpleNamespace(claims={"sub": token})


@dataclass(frozen=True, slots=True)
class Sessions:
    place: Place
    tokens: Tokens = field(default_factory=Tokens)
    signs_here = True

    async def draft(self, user_id, origin, sign_in):
        self.place.user(user_id)
        session = _session(SESSION, user_id)
        return Draft(session, {"sub": str(user_id)}, NOW, session.expires_at)

    async def sign(self, draft):
        return Issued(draft.session, draft.claims["sub"], NOW, draft.expires_at)

    async def begin(self, actor, issued, sign_in):
        signed_in = self.place.world.signed_in | {issued.session.user_id}
        self.place.world = replace(self.place.world, signed_in=signed_in)
        return issued

    async def end(self, actor, user_id, session_id, event):
        if session_id != OTHER_SESSION or not self.place.user(user_id).has_other_session:
            raise SessionNotFound
        self.place.change(user_id, has_other_session=False)

    async def end_all(self, actor, user_id, *, keep=None):
        count = int(self.place.user(user_id).has_other_session)
        self.place.change(user_id, has_other_session=False)
        return count

    async def pages_of(self, user_ids, asked):
        return {
            user_id: Page(self._of(user_id), has_next=False, has_previous=False)
            for user_id in user_ids
        }

    def _of(self, user_id):
        user = self.place.world.user(user_id)
        if user is None:
            return ()
        ids = (SESSION, OTHER_SESSION) if user.has_other_session else (SESSION,)
        return tuple(_session(one, user_id) for one in ids)


def _session(session_id: UUID, user_id: UUID) -> Session:
    return Session(session_id, user_id, None, None, NOW, NOW, NOW + timedelta(hours=12))


@dataclass(frozen=True, slots=True)
class Metadata:
    async def of(self, user_ids):
        return {}

    async def change(self, actor, user_id, changes, *, mode=None, if_version=None):
        return Bags(user_id)


@dataclass(frozen=True, slots=True)
class Mail:
    def language(self, *wishes):
        return "en"

    async def send(self, template, recipient, language="en", values=None, *, expires_at=None):
        return None


@dataclass(frozen=True, slots=True)
class Audit:
    async def record(self, event, actor, *, subject=None, details=None):
        return None


@dataclass(frozen=True, slots=True)
class RateLimits:
    async def take(self, operation, *, account="", address, known_browser=False, actor=None):
        return None


@dataclass(frozen=True, slots=True)
class Notices:
    async def send(self, notice, to, values=None):
        return None


@dataclass(frozen=True, slots=True)
class Events:
    async def record(self, name, data, *, user_id=None):
        return None

    async def record_user(self, name, actor, user_id):
        return None


def domains_over(place: Place, config: Any) -> Any:
    """Every service of `Domains`; the rules of self-service are the real ones."""
    users, passwords, passkeys = (
        Users(place, config),
        Passwords(place, config),
        Passkeys(place, config),
    )
    devices, sessions, codes = TrustedDevices(place, config), Sessions(place), RecoveryCodes(place)
    apps, federation = Totp(place, devices), Federation(place, config)
    oneself = SelfService(
        config=config,
        users=users,
        metadata=Metadata(),
        passwords=passwords,
        passkeys=passkeys,
        totp=apps,
        federation=federation,
        notices=Notices(),
        clock=clock,
    )
    ceremonies = PasskeyCeremonies(place, config, passkeys)
    credentials = OwnCredentials(
        config=config,
        passwords=passwords,
        passkeys=passkeys,
        ceremonies=ceremonies,
        totp=apps,
        recovery_codes=codes,
        devices=devices,
        sessions=sessions,
        federation=federation,
        events=Events(),
        self_service=oneself,
    )
    return SimpleNamespace(
        config=config,
        clock=clock,
        audit=Audit(),
        events=Events(),
        mail=Mail(),
        users=users,
        metadata=Metadata(),
        passwords=passwords,
        passkeys=passkeys,
        ceremonies=ceremonies,
        passcodes=Passcodes(place),
        totp=apps,
        recovery_codes=codes,
        trusted_devices=devices,
        rate_limits=RateLimits(),
        sessions=sessions,
        federation=federation,
        saml=Saml(config),
        self_service=oneself,
        own_credentials=credentials,
    )


ORIGIN = Origin(address="192.0.2.1")
