"""Thin Prefect tasks: one library call each, with its cache key, retries, artifacts and run name."""
