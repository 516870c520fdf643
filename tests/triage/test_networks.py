import pytest

from triage.networks import parse_network, ranges


def test_networks_become_sorted_ranges_that_do_not_overlap():
    assert ranges(["10.0.1.0/24", "10.0.0.0/24", "10.0.0.7", "rubbish"]) == ((4, 10 << 24, (10 << 24) + 511),)
    assert ranges([]) == ()


def test_a_host_inside_a_network_names_the_network():
    assert str(parse_network(" 203.0.113.9/24 ")) == "203.0.113.0/24"
    with pytest.raises(ValueError, match="does not appear"):
        parse_network("office")
