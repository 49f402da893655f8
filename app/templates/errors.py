"""Why a claim template is not kept, apart from what its claims say (see `app.claims.errors`)."""

from app.errors import Invalid


class ClaimsNotAnObject(Invalid):
    """Claims are an object, name by name."""

    code = "claims_not_an_object"
    message = "Claims are an object: each name with its value."


class ClaimsTooLong(Invalid):
    """The claims as they were written have no room in the database."""

    code = "claims_too_long"
    message = "Claims have at most 16,384 bytes as compact JSON."
