import pytest

from orderhub.models import JobHeartbeat, Lease
from orderhub.services.jobs import beat
from orderhub.services.leases import hold

pytestmark = pytest.mark.django_db


def test_a_held_lease_is_refused_to_others_and_free_afterwards():
    with hold("sync:1", 60) as first:
        assert first is not None
        with hold("sync:1", 60) as second:
            assert second is None
        assert first.extend(60)
    with hold("sync:1", 60) as third:
        assert third is not None


def test_a_lease_that_ran_out_goes_to_the_next_and_the_old_holder_learns_of_it():
    with hold("sync:1", 60) as first:
        Lease.objects.update(until="2020-01-01T00:00:00Z")
        with hold("sync:1", 60) as second:
            assert second is not None
            assert not first.extend(60)
        assert first.token != second.token


def test_a_job_that_fails_leaves_its_reason():
    with pytest.raises(ValueError, match="no way"), beat("pull", 60):
        raise ValueError("no way")
    assert JobHeartbeat.objects.values_list("name", "is_ok", "message").get() == ("pull", False, "ValueError")
    with beat("pull", 60):
        pass
    assert JobHeartbeat.objects.values_list("is_ok", "message", "every_seconds").get() == (True, "", 60)
