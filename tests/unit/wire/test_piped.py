import pytest

from wire.piped import piped


def test_what_one_thread_writes_is_read_while_it_does():
    with piped(lambda out: [out.write(b"0123456789" * 10_000) for _ in range(10)]) as plain:
        assert len(plain.stream.read()) == 1_000_000
    assert plain.failure is None


def test_a_writer_that_fails_ends_the_stream_and_how_is_kept():
    def write(out):
        out.write(b"half")
        raise ValueError("no more")

    with piped(write) as plain:
        assert plain.stream.read() == b"half"
    assert str(plain.failure) == "no more"


def test_a_reader_that_stops_early_or_fails_ends_the_writer():
    def endless(out):
        while True:
            out.write(b"x" * 100_000)

    with piped(endless) as plain:
        plain.stream.read(1)
    assert isinstance(plain.failure, BrokenPipeError)
    with pytest.raises(ZeroDivisionError), piped(endless):
        1 / 0  # noqa: B018 - a failure
