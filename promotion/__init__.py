"""Promotion of MLflow model versions by pull request; see README.md."""

__version__ = "0.1.0"
