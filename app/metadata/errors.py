"""Why a change of a bag is refused."""

from app.config.sections import BagLimit
from app.errors import Conflict, Invalid
from app.metadata.changes import Bag


class MetadataRefused(Invalid):
    """A change of a bag is refused; nothing was changed."""

    code = "metadata_refused"
    message = "A bag may not hold this."

    def __init__(self, bag: Bag, message: str, place: tuple[str, ...] = ()) -> None:
        super().__init__(message, path=(bag.field, *place))
        self.bag = bag


class MetadataNotAnObject(MetadataRefused):
    """A bag takes an object, or null."""

    code = "metadata_not_an_object"
    message = "A bag takes an object, or null."

    def __init__(self, bag: Bag) -> None:
        super().__init__(bag, f"{bag.field} must be an object or null.")


class MetadataInvalid(MetadataRefused):
    """A value that no bag may hold."""

    code = "metadata_invalid"
    message = "A bag cannot keep this value."

    def __init__(self, bag: Bag, reason: str, place: tuple[str, ...] = ()) -> None:
        super().__init__(bag, f"{bag.field} cannot be kept: {reason}.", place)


class MetadataTooLarge(MetadataRefused):
    """A bag would hold more than its cap."""

    code = "metadata_too_large"
    message = "A bag would hold more than its cap."

    def __init__(self, bag: Bag, size: int, limit: BagLimit) -> None:
        super().__init__(bag, f"{bag.field} must not exceed {limit.max} {limit.unit}.")
        self.size = size
        self.limit = limit


class MetadataOverflowsClaims(MetadataRefused):
    """The user's claims would outgrow their budget, and the deployment refuses that."""

    code = "metadata_overflows_claims"
    message = "The claims of the user's tokens would outgrow their budget."
    unit = "bytes"

    def __init__(self, bag: Bag, size: int, limit: int) -> None:
        sentence = f"With this {bag.field} the claims of the user's tokens would take {size} bytes"
        super().__init__(bag, f"{sentence}; {limit} are allowed.")
        self.size = size
        self.limit = limit


class MetadataVersionConflict(Conflict):
    """The bags have changed since the version the caller knows."""

    code = "metadata_version_conflict"
    message = "The metadata has changed in the meantime."

    def __init__(self, current_version: int, bag: Bag) -> None:
        super().__init__(path=("if_metadata_version",))
        self.current_version = current_version
        self.bag = bag
