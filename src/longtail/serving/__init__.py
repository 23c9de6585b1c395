"""The fitted hybrid outside of the pipelines: ranked lists for users on request."""
