"""The service provider of SAML 2.0: sign-in at the identity providers of companies.

What reads and writes XML needs the packages of the extra `sekisho[saml]`, so it is imported where
SAML is on, and nowhere else. `service` is what the rest of the product speaks to.
"""
