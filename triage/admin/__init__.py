"""Triage in the ops console."""

from triage.admin import lists, order, rule, words

__all__ = ["lists", "order", "rule", "words"]
