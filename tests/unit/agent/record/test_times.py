from agent.record.times import rfc3339


def test_a_time_is_written_in_utc_to_the_second():
    assert rfc3339(1_747_094_400.9) == "2025-05-13T00:00:00Z"
