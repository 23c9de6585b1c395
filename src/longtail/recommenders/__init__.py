"""Recommenders: one file each, all with the interface of ``longtail.recommenders.base``."""
