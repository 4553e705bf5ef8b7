"""Fixtures of the flows' tests."""

from tests.flows.fakes import dataset, fakes

__all__ = ["dataset", "fakes"]
