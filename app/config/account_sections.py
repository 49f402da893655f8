"""The settings of accounts: addresses, user names, what is told, and the three bags."""

from typing import Annotated, Literal

from msgspec import field

from app.config.section import Section, about


class AccountRules(Section, frozen=True):
    """Whether people may come and go by themselves."""

    allow_signup: Annotated[bool, about("New users may register.", env="ACCOUNT_ALLOWSIGNUP")] = (
        True
    )
    allow_deletion: Annotated[
        bool, about("Users may delete their account.", env="ACCOUNT_ALLOWDELETION")
    ] = False


class Privacy(Section, frozen=True):
    """What sign-in tells of accounts."""

    show_account_existence_hints: Annotated[
        bool, about("Tell whether an account exists instead of answering alike.")
    ] = False
    only_show_actual_login_methods: Annotated[
        bool, about("Offer the login methods that the account has; this tells which those are.")
    ] = False


MAX_PASSCODE_TTL = 600
"""Seconds that a passcode may live (SEC-039)."""


class Email(Section, frozen=True):
    """E-mail addresses."""

    enabled: Annotated[bool, about("Sign-in and registration know e-mail addresses.")] = True
    optional: Annotated[bool, about("A user may go without an address.")] = False
    acquire_on_registration: Annotated[bool, about("Ask for an address at registration.")] = True
    acquire_on_login: Annotated[
        bool, about("After sign-in, ask users without an address for one.")
    ] = True
    require_verification: Annotated[
        bool, about("A new address has to be proved by a code that is mailed to it.")
    ] = True
    use_as_login_identifier: Annotated[
        bool, about("An address says who signs in.", env="EMAIL_USEASLOGINIDENTIFIER")
    ] = True
    use_for_authentication: Annotated[
        bool, about("A code that is mailed signs in.", env="EMAIL_USEFORAUTHENTICATION")
    ] = True
    limit: Annotated[int, about("Addresses a user may have.", ge=0)] = 5
    max_length: Annotated[
        int, about("Longest address, in characters.", ge=6, le=254, env="EMAIL_MAXLENGTH")
    ] = 120
    passcode_ttl: Annotated[
        int, about("Seconds a passcode lives.", ge=30, le=MAX_PASSCODE_TTL, env="EMAIL_PASSCODETTL")
    ] = 300
    passcode_charset: Annotated[
        Literal["numeric", "alphanumeric"],
        about(
            "What the 6 characters of a passcode are: digits (20 bits), or digits and letters "
            "without 0, 1, I, O and l (35 bits).",
            env="EMAIL_PASSCODECHARSET",
        ),
    ] = "numeric"


class Username(Section, frozen=True):
    """User names."""

    enabled: Annotated[bool, about("Sign-in and registration know user names.")] = False
    optional: Annotated[bool, about("A user may go without a user name.")] = True
    acquire_on_registration: Annotated[bool, about("Ask for a user name at registration.")] = True
    acquire_on_login: Annotated[
        bool, about("After sign-in, ask users without a user name for one.")
    ] = True
    use_as_login_identifier: Annotated[
        bool, about("A user name says who signs in.", env="USERNAME_USEASLOGINIDENTIFIER")
    ] = True
    min_length: Annotated[int, about("Shortest user name.", ge=1)] = 3
    max_length: Annotated[
        int, about("Longest user name.", ge=1, le=128, env="USERNAME_MAXLENGTH")
    ] = 32


class BagLimit(Section, frozen=True):
    """How much a bag may hold, measured on its compact JSON."""

    max: Annotated[int, about("Most units.", ge=2, le=65536)]
    unit: Annotated[
        Literal["characters", "bytes"], about("Unicode code points, or bytes of UTF-8.")
    ] = "characters"


class BagLimits(Section, frozen=True):
    """A cap for each bag."""

    public: BagLimit = field(default_factory=lambda: BagLimit(max=3000))
    private: BagLimit = field(default_factory=lambda: BagLimit(max=3000))
    unsafe: BagLimit = field(default_factory=lambda: BagLimit(max=3000))


HANKO_LIMITS = BagLimits()


TORII_LIMITS = BagLimits(
    public=BagLimit(max=512, unit="bytes"),
    private=BagLimit(max=4096, unit="bytes"),
    unsafe=BagLimit(max=512, unit="bytes"),
)


class UserMetadata(Section, frozen=True):
    """The three bags."""

    limits: Annotated[
        Literal["hanko", "torii"] | BagLimits,
        about(
            "`hanko`: 3,000 characters a bag. `torii`: 512 bytes public, 512 unsafe, 4,096 "
            "private. Or a cap for each bag."
        ),
    ] = "hanko"

    def caps(self) -> BagLimits:
        """Give the caps the rule set stands for."""
        if isinstance(self.limits, BagLimits):
            return self.limits
        return HANKO_LIMITS if self.limits == "hanko" else TORII_LIMITS
