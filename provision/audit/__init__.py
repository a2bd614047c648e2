"""The health check: what is observed of a host, what that is judged to mean, and how it is shown."""
