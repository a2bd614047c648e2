"""The booking sheet in step with the booking system: source, plan, apply, verify, report; no run fails silently."""
