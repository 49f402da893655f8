"""The one schema of both listeners."""

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from app.graphql.account import AccountMutations
from app.graphql.audit import AuditQueries
from app.graphql.claim_templates import JwtTemplateMutations, JwtTemplateQueries
from app.graphql.core import core_schema
from app.graphql.errors import ERROR_TYPES
from app.graphql.flow_types import STATE_TYPES
from app.graphql.flows import FlowMutations
from app.graphql.guards import (
    RequiresOwnerOrSecretKey,
    RequiresRecentSignIn,
    RequiresSecretKey,
    RequiresSession,
    Solo,
)
from app.graphql.identities import IdentityMutations
from app.graphql.passwords import PasswordMutations, UserCredentialMutations
from app.graphql.scalars import SCALARS
from app.graphql.secret_keys import SecretKeyMutations, SecretKeyQueries
from app.graphql.server_info import ServerQueries
from app.graphql.sessions import SessionMutations, SessionQueries
from app.graphql.signing_keys import SigningKeyMutations, SigningKeyQueries
from app.graphql.users import UserMutations, UserQueries
from app.graphql.webhooks import WebhookMutations, WebhookQueries


@strawberry.type(description="Questions. What needs a secret key says so by a directive.")
class Query(
    UserQueries,
    SessionQueries,
    SecretKeyQueries,
    JwtTemplateQueries,
    ServerQueries,
    SigningKeyQueries,
    WebhookQueries,
    AuditQueries,
):
    """Every question."""


@strawberry.type(description="Changes. What is refused by a rule is told in `userErrors`.")
class Mutation(
    FlowMutations,
    UserMutations,
    PasswordMutations,
    UserCredentialMutations,
    AccountMutations,
    IdentityMutations,
    SessionMutations,
    SecretKeyMutations,
    JwtTemplateMutations,
    SigningKeyMutations,
    WebhookMutations,
):
    """Every change."""


_schema = strawberry.Schema(
    Query,
    Mutation,
    types=[*ERROR_TYPES, *STATE_TYPES],
    schema_directives=[
        RequiresOwnerOrSecretKey,
        RequiresRecentSignIn,
        RequiresSecretKey,
        RequiresSession,
        Solo,
    ],
    config=StrawberryConfig(scalar_map=SCALARS),
)


_core = core_schema(_schema)


def schema() -> GraphQLSchema:
    """Give the schema as the executor takes it."""
    return _core


def printed_schema() -> str:
    """Print the schema, guards included."""
    return str(_schema) + "\n"
