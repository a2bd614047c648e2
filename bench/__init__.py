"""The queue measured beside a peer and beside what its disk allows: `make bench`."""
