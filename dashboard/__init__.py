"""The queue and the page: tasks, leases, sessions and sync runs behind a REST API, and one page for people."""
