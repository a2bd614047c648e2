"""A host's backup: everything that it holds and cannot be made anew, as one encrypted stream; and the way back."""
