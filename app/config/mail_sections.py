"""The settings of mail, and of which changes people are told."""

from typing import Annotated, Literal

from msgspec import field

from app.config.section import Section, about
from app.config.values import Duration, Secret

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Smtp(Section, frozen=True):
    """The SMTP server that takes our mail."""

    host: Annotated[
        str, about("Host. Empty: development keeps mail at /mailbox of the admin listener.")
    ] = ""
    port: Annotated[int, about("Port.", ge=1, le=65535)] = 465
    user: Annotated[str, about("User; empty for no authentication.")] = ""
    password: Annotated[Secret, about("Password.")] = field(default_factory=lambda: Secret(""))
    tls: Annotated[
        Literal["auto", "implicit", "starttls", "none"],
        about(
            "`implicit`: TLS from the first byte. `starttls`: required, never plain instead. "
            "`auto`: `implicit` on port 465, `none` to this machine itself, else `starttls`."
        ),
    ] = "auto"
    ca_file: Annotated[
        str, about("Certificates in PEM to trust instead of the system's; empty for those.")
    ] = ""
    timeout: Annotated[Duration, about("How long one step with the server may take.")] = field(
        default_factory=lambda: Duration(seconds=10)
    )

    @property
    def is_local(self) -> bool:
        """Say whether the server is on this machine."""
        return self.host in _LOOPBACK

    @property
    def protection(self) -> Literal["implicit", "starttls", "none"]:
        """Give the kind of TLS in force."""
        if self.tls != "auto":
            return self.tls
        if self.port == 465:  # noqa: PLR2004  # RFC 8314 §7.3: submissions
            return "implicit"
        return "none" if self.is_local else "starttls"


class EmailDelivery(Section, frozen=True):
    """How mail leaves."""

    enabled: Annotated[bool, about("Send mail; when off, none is queued.")] = True
    from_address: Annotated[
        str, about("Sender's address; empty means `noreply@` and the host of the public URL.")
    ] = ""
    from_name: Annotated[str, about("Sender's name; empty means the service's name.")] = ""
    templates_dir: Annotated[
        str, about("Folder of texts that take the place of ours: `<language>.toml`, `layout.html`.")
    ] = ""
    smtp: Smtp = field(default_factory=Smtp)


class Notification(Section, frozen=True):
    """One notice about a change of the account."""

    enabled: Annotated[bool, about("Mail it.")] = True


class Notifications(Section, frozen=True):
    """The notices about changes of an account."""

    password_create: Notification = field(default_factory=Notification)
    password_update: Notification = field(default_factory=Notification)
    password_delete: Notification = field(default_factory=Notification)
    primary_email_update: Notification = field(default_factory=Notification)
    email_create: Notification = field(default_factory=Notification)
    email_delete: Notification = field(default_factory=Notification)
    username_update: Notification = field(default_factory=Notification)
    username_delete: Notification = field(default_factory=Notification)
    passkey_create: Notification = field(default_factory=Notification)
    passkey_delete: Notification = field(default_factory=Notification)
    mfa_create: Notification = field(default_factory=Notification)
    mfa_delete: Notification = field(default_factory=Notification)
    recovery_codes_create: Notification = field(default_factory=Notification)
    identity_create: Notification = field(default_factory=Notification)
    identity_delete: Notification = field(default_factory=Notification)


class SecurityNotifications(Section, frozen=True):
    """Mail to the user about what changes on the account."""

    notifications: Notifications = field(default_factory=Notifications)
