"""How long the texts may be that claims show, as the configuration has it."""

from app.claims.sizes import Cap, Caps
from app.config.sections import BagLimit, Config


def caps_of(config: Config) -> Caps:
    """Give the caps of the bags, of user names and of addresses; other texts have fixed ones."""
    limits = config.user_metadata.caps()
    fields = {
        "Username": Cap(config.username.max_length, is_printable=True),
        "Address": Cap(config.email.max_length, is_printable=True),
    }
    return Caps(_cap(limits.public), _cap(limits.unsafe), fields)


def _cap(limit: BagLimit) -> Cap:
    return Cap(limit.max, limit.unit)
