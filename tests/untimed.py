"""Hypothesis without a clock: on a busy machine an example takes longer than it grants, which says nothing of our code.

In CI its own profile stays, all else of it.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
