"""What can come of handing a mail over."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail.

    Attributes:
        kind: `sent`: taken. `deferred`: refused for now. `refused`: for good. `unreachable`: the
            server is not there or takes nothing from us, which says nothing of this mail.
            `expired`: not sent, since it is too late.
        answer: The server's reply code with its enhanced code (RFC 3463), or a word of ours; fit
            for logs.
        words: What the server said beside that. It may quote the mail, so it is for the operator
            who asked and for no log (SEC-116).
        counts: Of a mail that was deferred: whether it is not to be handed over without end, since
            the server fell silent and may have taken it, or refuses its recipient alone.
    """

    kind: Literal["sent", "deferred", "refused", "unreachable", "expired"]
    answer: str
    words: str = ""
    counts: bool = False
