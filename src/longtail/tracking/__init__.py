"""What MLflow knows of a run, and the registered models."""
