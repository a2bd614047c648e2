"""Where bookings come from: an HTTP API, a file, or a program's output, each read completely or not at all."""
