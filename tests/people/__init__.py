"""A sheet in the double without sockets, in which people work while the sync does."""
