"""What platforms keep back."""

from channels_sync.connectors.base import connectors


def hidden_facts(platform: str) -> dict[str, str]:
    """Return the reason for each fact that a platform keeps back, in the reader's language; none for unknown ones."""
    if platform not in connectors:
        return {}
    return {fact: str(hidden) for fact, hidden in connectors.get(platform).hidden_facts.items()}
