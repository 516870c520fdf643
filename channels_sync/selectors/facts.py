"""What platforms keep back."""

from channels_sync.connectors.base import abilities_of


def hidden_facts(platform: str) -> dict[str, str]:
    """Return the reason for each fact that a platform keeps back, in the reader's language; none for unknown ones."""
    return {fact: str(hidden) for fact, hidden in abilities_of(platform).hidden_facts.items()}
