"""What the double answers: one script a kind of conversation, each a pure function of the conversation so far."""
