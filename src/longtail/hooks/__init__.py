"""Hooks of the project's runs; what they call is in ``longtail.runs`` and ``longtail.tracking``."""
