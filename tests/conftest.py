"""Fixtures that more than one test module uses."""

from broker import own_site, site

__all__ = ["own_site", "site"]
