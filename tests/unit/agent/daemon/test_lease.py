from agent.daemon.lease import Lease, boottime


def test_a_lease_lives_from_before_it_was_asked_for():
    lease = Lease(fence=1, ttl_s=120, sent_at=1000)
    assert [lease.lapsed(now) for now in (1000, 1119.9, 1120)] == [False, False, True]


def test_it_is_due_after_a_third_so_that_two_heartbeats_may_fail():
    assert Lease(fence=1, ttl_s=120, sent_at=1000).due_at == 1040


def test_a_heartbeat_revives_it_under_the_same_fence():
    lease = Lease(fence=7, ttl_s=120, sent_at=1000).renewed(60, 2000)
    assert (lease.fence, lease.lapsed(2000), lease.lapsed(2060)) == (7, False, True)


def test_boot_time_only_goes_on():
    assert 0 < boottime() <= boottime()
