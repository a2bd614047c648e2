"""The state of a host that comes before any release: applied forward, never rolled back."""
