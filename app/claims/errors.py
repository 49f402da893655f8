"""Why a claim template is refused, when it is saved or when it is rendered.

The messages quote at most the template, never what a user or a bag holds.
"""

from app.errors import Invalid


class TemplateSyntaxError(Invalid):
    """The text of a template cannot be read."""

    code = "template_syntax_error"
    message = "The template cannot be read."


class TemplateRunError(Invalid):
    """A template that can be read fails for the values it was given."""

    code = "template_run_error"
    message = "The template failed while it ran."


class TooMuchWork(TemplateRunError):
    """A template would do more work than it may (SEC-124)."""

    message = "The template does more work than it may."


class PrivateMetadataNamed(TemplateSyntaxError):
    """A template names the private bag, which no token ever shows (SEC-009)."""

    code = "template_private_metadata"
    message = "A template cannot show private metadata."


class ClaimReserved(Invalid):
    """A template tries to set a claim that the product alone sets (SEC-010)."""

    code = "claim_reserved"
    message = "This claim is set by the product alone."


class ClaimsTooLarge(Invalid):
    """The claims could outgrow their budget (SEC-010)."""

    code = "claims_too_large"
    message = "The claims could outgrow the room that a token has for them."
