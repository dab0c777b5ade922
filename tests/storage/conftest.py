"""Every storage test runs on both databases."""

from tests.databases import books, database_url, empty_url, postgres_url

__all__ = ["books", "database_url", "empty_url", "postgres_url"]
