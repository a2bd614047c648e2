"""The daemon: claims tasks, keeps their leases, runs sessions as processes, and delivers what they left behind."""
