"""Log-in by an identity provider: OpenID Connect 1.0, code flow with PKCE."""
