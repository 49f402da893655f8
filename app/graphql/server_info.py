"""What a sign-in page needs to know before anybody has signed in."""

import strawberry

from app.graphql.context import Info
from app.graphql.errors import MetadataBag
from app.graphql.flow_types import Provider
from app.metadata.changes import Bag


@strawberry.type(description="The most a bag may hold, measured on its compact JSON.")
class MetadataLimit:
    """A cap."""

    bag: MetadataBag = strawberry.field(description="Which bag.")
    max: int = strawberry.field(description="The most it may hold.")
    unit: str = strawberry.field(description="`characters` (Unicode code points) or `bytes`.")


@strawberry.type(description="What this server is and allows.")
class ServerInfo:
    """The server."""

    name: str = strawberry.field(description="What the deployment calls itself.")
    email_limit: int = strawberry.field(description="Addresses a user may have.")
    email_max_length: int = strawberry.field(description="Longest address, in characters.")
    username_min_length: int = strawberry.field(description="Shortest user name.")
    username_max_length: int = strawberry.field(description="Longest user name.")
    providers: list[Provider] = strawberry.field(
        description="The providers that one can sign in with, in the order to show them."
    )
    metadata_limits: list[MetadataLimit] = strawberry.field(description="The caps of the bags.")


@strawberry.type
class ServerQueries:
    """Questions about the server."""

    @strawberry.field(description="What a sign-in page needs to know: names and limits.")
    def server(self, info: Info) -> ServerInfo:
        """Describe the server; the private bag's cap is nobody's secret, its content is."""
        config = info.context.services.config
        caps = config.user_metadata.caps()
        limits = [(bag, getattr(caps, bag.value)) for bag in Bag]
        return ServerInfo(
            name=config.service.name,
            email_limit=config.email.limit,
            email_max_length=config.email.max_length,
            username_min_length=config.username.min_length,
            username_max_length=config.username.max_length,
            providers=[
                Provider(id=strawberry.ID(one.id), name=one.display_name)
                for one in info.context.services.federation.providers()
            ],
            metadata_limits=[
                MetadataLimit(bag=MetadataBag[bag.name], max=limit.max, unit=limit.unit)
                for bag, limit in limits
            ],
        )
