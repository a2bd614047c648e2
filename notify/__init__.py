"""Telling users: what the dashboard's outbox holds is sent to targets, each of them one apprise URL."""
