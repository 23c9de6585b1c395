"""What stands in a rendered page until it is saved."""

# The version of the run that saves the page.
RUN_VERSION = "%%run version%%"
