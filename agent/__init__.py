"""The worker: a daemon that claims tasks, and the sessions it spawns, in which the model works on them."""
