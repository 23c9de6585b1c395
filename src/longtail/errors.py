"""Errors whose message is written for the person who runs the pipelines."""


class UserError(Exception):
    """Something the user can fix; the message says what is wrong, where, and what to do."""


class NotApplicableError(Exception):
    """A model cannot be fitted to these data; the message says why. The run goes on without it."""
