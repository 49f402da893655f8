"""Migrations in Piccolo's format, one file a change, each for SQLite and PostgreSQL alike.

Never edit one that has been released: a database remembers what it was made from.
"""
