"""Where all that a model asks for runs: inside bubblewrap, with the task's workspace and nothing else to write."""
