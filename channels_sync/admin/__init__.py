"""The channels in the ops console."""

from channels_sync.admin import card, runs, systems

__all__ = ["card", "runs", "systems"]
