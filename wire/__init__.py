"""What crosses HTTP between the agent, the sync, the dashboard and the operator: values, their JSON, and the client.

Standard library and urllib3 only: the daemon that imports this idles in 30 MB.
"""
