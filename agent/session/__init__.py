"""One session: a conversation with Claude about one task, kept in its journal and nowhere else."""
