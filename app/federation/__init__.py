"""Signing in elsewhere: OAuth, OpenID Connect and SAML, and whose account an identity is."""
