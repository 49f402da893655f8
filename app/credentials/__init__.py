"""Credentials: what a person proves themselves with."""
