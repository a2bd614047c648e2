"""What daemon and sessions both keep and count by: the journal, small files, prices, and the limits that follow."""
