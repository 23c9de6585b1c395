"""Errors whose message is written for the person who runs the pipelines."""


class UserError(Exception):
    """Something the user can mend; the message says what is wrong, where, and what to do."""
