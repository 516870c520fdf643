"""Foundations without tables: no module here knows a model, a request or a feature."""
