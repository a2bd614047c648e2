"""What crosses HTTP between the agent, the sync, the dashboard and the operator: values, their JSON, and the client.

Standard library and msgspec; `tcp` with urllib3, `unix` with httptools: the daemon that imports this idles in 15 MB.
"""
