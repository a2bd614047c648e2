"""The units of a host, by name: which part each runs, which always run, which are templates."""

UNITS = {
    "jada-dashboard.service": "dashboard",
    "jada-agent.service": "agent",
    "jada-notify.service": "notify",
    "port-sheet-sync.service": "sync",
    "jada-backup.service": "backup",
}
"""A unit and the part it runs, in the order of their restart: the worker reports to the dashboard."""
TEMPLATES = ("jada-failed@.service",)
"""Units that other units start, an instance for each."""
SERVICES = ("jada-dashboard.service", "jada-agent.service", "jada-notify.service")
"""The units that always run; sync and backup are started by cron and end."""
