"""What is wrong with the value of a parameter, in the project's words instead of pydantic's."""

from pydantic_core import ErrorDetails

# What pydantic puts before the sentence of a validator of this project.
OWN_SENTENCE = "Value error, "
_EXACT = {
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_type": "it must be text",
    "finite_number": "it must be a finite number",
    "none_required": "it must be null",
    "missing": "it is missing",
    "extra_forbidden": "there is no such parameter",
}
_BY_START = {
    "int_": "it must be a whole number",
    "float_": "it must be a number",
    "date_": "it must be a date such as 2020-12-31",
    "dict_": "it must be a group of parameters, such as {name: value}",
    "model_": "it must be a group of parameters, such as {name: value}",
    "tuple_": "it must be a list such as [1, 2]",
    "list_": "it must be a list such as [1, 2]",
}
_LIMITS = {
    "greater_than": ("gt", "it must be above {}"),
    "greater_than_equal": ("ge", "it must be at least {}"),
    "less_than": ("lt", "it must be below {}"),
    "less_than_equal": ("le", "it must be at most {}"),
    "too_short": ("min_length", "it needs at least {} entries"),
    "too_long": ("max_length", "it may have at most {} entries"),
    "string_too_short": ("min_length", "it needs at least {} characters"),
    "string_pattern_mismatch": ("pattern", "it must match the pattern {}"),
    "literal_error": ("expected", "choose one of {}"),
}


def reason_of(details: ErrorDetails) -> str:
    """Return the clause on one error of pydantic, without a full stop."""
    kind, message = details["type"], details["msg"]
    if message.startswith(OWN_SENTENCE):
        return message.removeprefix(OWN_SENTENCE).rstrip(".")
    if kind in _LIMITS:
        name, clause = _LIMITS[kind]
        return clause.format(details.get("ctx", {}).get(name, ""))
    starts = (clause for start, clause in _BY_START.items() if kind.startswith(start))
    return _EXACT.get(kind) or next(starts, "it has another form than the parameter needs")
