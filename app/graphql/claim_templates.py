"""The claim template of session tokens, as the schema shows it."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Self

import strawberry

from app.claims.claims import Rendered
from app.graphql.context import Info
from app.graphql.errors import UserError
from app.graphql.guards import requires_secret_key
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.scalars import JSON
from app.graphql.users import UserId
from app.templates import ClaimTemplates, Template

LARGEST = 2**31 - 1
"""The largest Int of GraphQL."""


@strawberry.enum(description="Where the claims in force come from.")
class JwtTemplateSource(Enum):
    """The source of a template."""

    CONFIGURATION = strawberry.enum_value(
        "configuration", description="The configuration: `session.jwt_template.claims`."
    )
    DATABASE = strawberry.enum_value("database", description="`setJwtTemplate`.")


@strawberry.type(
    name="JwtTemplate",
    description="An application's own claims, which session tokens carry beside the product's.",
)
class JwtTemplateType:
    """The template in force."""

    claims: JSON = strawberry.field(description="Claims by name; texts in them are templates.")
    source: JwtTemplateSource = strawberry.field(description="Where they come from.")
    version: int = strawberry.field(
        description="How often they were set since they last came from the configuration."
    )
    updated_at: datetime | None = strawberry.field(
        description="When they were set; null for those of the configuration."
    )
    budget: int | None = strawberry.field(
        description="Most bytes they may take in a token; null for all that the token has room for."
    )

    template: strawberry.Private[Template]

    @strawberry.field(
        description="Most bytes they take with full bags, as compact JSON; null without a bound."
    )
    def worst_case(self, info: Info) -> int | None:
        """Give the bound."""
        worst = info.context.services.templates.worst_case(self.template)
        return worst if worst is not None and worst <= LARGEST else None

    @classmethod
    def of(cls, template: Template, templates: ClaimTemplates) -> Self:
        """Show a template."""
        return cls(
            claims=JSON(template.claims),
            source=JwtTemplateSource(template.source),
            version=template.version,
            updated_at=template.updated_at,
            budget=templates.config.budget or None,
            template=template,
        )


@strawberry.type(description="A claim that a token goes without.")
class JwtTemplateOmission:
    """An omitted claim."""

    claim: str = strawberry.field(description="Its name.")
    reason: str = strawberry.field(description="A sentence for developers, in English.")


@strawberry.type(description="What claims come to for a user.")
class JwtTemplatePreview:
    """A rendering that no token carries."""

    claims: JSON = strawberry.field(description="The claims as a token would carry them.")
    omitted: list[JwtTemplateOmission] = strawberry.field(
        description="The claims that it would go without."
    )
    size: int = strawberry.field(description="Bytes of `claims` as compact JSON.")

    @classmethod
    def of(cls, rendered: Rendered) -> Self:
        """Show a rendering."""
        omitted = [JwtTemplateOmission(claim=o.claim, reason=o.reason) for o in rendered.omitted]
        return cls(claims=JSON(rendered.claims), omitted=omitted, size=rendered.size)


@strawberry.type(description="What became of a change of the claims.")
class JwtTemplatePayload:
    """A changed template."""

    jwt_template: JwtTemplateType | None = strawberry.field(description="The claims now in force.")
    user_errors: list[UserError] = strawberry.field(
        description="Why it was refused; empty where it was not."
    )


@strawberry.type
class JwtTemplateQueries:
    """Questions about claims."""

    @strawberry.field(
        description="The claims in force.", extensions=[requires_secret_key("jwt:read")]
    )
    async def jwt_template(self, info: Info) -> JwtTemplateType:
        """Give the template in force."""
        templates = info.context.services.templates
        return JwtTemplateType.of(await templates.live(), templates)

    @strawberry.field(
        description="What claims come to for a user, whose profile, primary address, public and "
        "unsafe bags they can show. Nothing is saved.",
        extensions=[requires_secret_key("jwt:read")],
    )
    async def preview_jwt_template(
        self,
        info: Info,
        user_id: UserId,
        claims: Annotated[
            JSON | None,
            strawberry.argument(description="The claims to try; those in force if left out."),
        ] = None,
    ) -> JwtTemplatePreview:
        """Try claims out."""
        templates = info.context.services.templates
        return JwtTemplatePreview.of(await templates.preview(id_of(user_id, "user_id"), claims))


@strawberry.input(description="Claims to be in force.")
class SetJwtTemplateInput:
    """A template."""

    claims: JSON = strawberry.field(description="Claims by name; texts in them are templates.")
    allow_omission: bool = strawberry.field(
        default=False,
        description="Take claims too that could outgrow the budget; tokens then go without the "
        "largest of them.",
    )


@strawberry.type
class JwtTemplateMutations:
    """Changes of claims."""

    @mutation(
        "Put claims in the place of those in force. The next tokens carry them; those that are out "
        "stay as they are.",
        requires_secret_key("jwt:write"),
    )
    async def set_jwt_template(
        self,
        info: Info,
        input: Annotated[SetJwtTemplateInput, strawberry.argument(description="The claims.")],  # noqa: A002
    ) -> JwtTemplatePayload:
        """Set the template."""
        templates = info.context.services.templates
        made = await templates.set(
            info.context.actor, input.claims, allow_omission=input.allow_omission
        )
        return JwtTemplatePayload(jwt_template=JwtTemplateType.of(made, templates), user_errors=[])

    @mutation("Let the configured claims be in force again.", requires_secret_key("jwt:write"))
    async def reset_jwt_template(self, info: Info) -> JwtTemplatePayload:
        """Reset the template."""
        templates = info.context.services.templates
        live = await templates.reset(info.context.actor)
        return JwtTemplatePayload(jwt_template=JwtTemplateType.of(live, templates), user_errors=[])
