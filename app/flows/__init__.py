"""Login, registration, profile: state machines of one engine, which knows no HTTP."""
