"""The tables of SAML."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class SamlCertificateRow(Table, tablename="saml_certificate"):
    """A certificate of ours, and the private key to it, sealed (SEC-119)."""

    id = UUID(primary_key=True)
    certificate = Text()
    sealed_key = Text(secret=True)
    active_from = Timestamptz()
    expires_at = Timestamptz()
    created_at = Timestamptz()


class SamlMetadataRow(Table, tablename="saml_metadata"):
    """The last good metadata of an identity provider, so that a start needs no network."""

    url = Text(primary_key=True)
    document = Text()
    etag = Text()
    fetched_at = Timestamptz(null=True, default=None)
    refresh_at = Timestamptz()


class SamlEntityRow(Table, tablename="saml_entity"):
    """Which provider has an entity id, by one of its domains; kept when the provider is gone."""

    entity_id = Text(primary_key=True)
    domain = Text()
    held_since = Timestamptz()


class SamlReplayRow(Table, tablename="saml_replay"):
    """A response or assertion that was taken, until nobody could bring it any more (SEC-091)."""

    digest = Text(primary_key=True)
    expires_at = Timestamptz()
