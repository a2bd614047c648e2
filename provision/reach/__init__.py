"""How a host is reached: which hosts there are, a certificate for an hour, one SSH connection, key files, a tunnel."""
