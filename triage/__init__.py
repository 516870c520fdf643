"""Triage: facts, rules, findings, lanes."""
