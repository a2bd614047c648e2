"""The vendors' sides, as far as this project uses them: Lightsail, Claude, Google and the booking system.

Each runs as a program: `python -m doubles.lightsail`, `.claude`, `.google`, `.bookings`. Each is held to its vendor's
own contract by code, and none imports `wire`: a defect of our reader must not hide in its double.
"""
