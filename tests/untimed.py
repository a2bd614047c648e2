"""Hypothesis without a clock and without chance: what an example takes on a busy machine says nothing of our code, and
what one run tries, each does: `pytest --hypothesis-profile=default FILE` tries something else.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "untimed", settings.default, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")
