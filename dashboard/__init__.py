"""The queue and the page: tasks, leases, sessions and sync runs behind a REST API, and one page for people."""

from dashboard.lean import leave_init

# Here, because it must come before the first module that imports it, whichever that is.
leave_init("uvicorn", Config="uvicorn.config")
