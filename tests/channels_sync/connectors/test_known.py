import pytest

from channels_sync.connectors.base import connectors
from channels_sync.connectors.known import FACTS, HOW, Hidden, How


def test_a_hidden_fact_reads_as_its_sentence():
    assert str(Hidden(How.MASKED, "masked by the platform")) == "masked by the platform"


@pytest.mark.parametrize("key", sorted(key for key, _connector in connectors.items()))
def test_connectors_hide_known_facts_in_known_ways(key):
    hidden = connectors.get(key).hidden_facts
    assert set(hidden) <= set(FACTS)
    assert {fact.how for fact in hidden.values()} <= set(HOW)
