from doubles.lightsail.sampler import traffic

TABLE = """\
Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0
  eth0: 5000 10 0 0 0 0 0 0 7000 12 0 0 0 0 0 0
"""


def test_traffic_is_that_of_the_hosts_own_interface():
    assert traffic(TABLE) == (5000, 7000)


def test_a_host_without_its_interface_has_no_traffic():
    assert traffic(TABLE.replace("eth0", "eth9")) == (0, 0)
