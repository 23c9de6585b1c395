"""Real data for the first run."""
