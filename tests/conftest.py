"""Settings for every test."""

from hypothesis import HealthCheck, settings

# No test asserts a time, bench/ does that; hypothesis must not either: a busy machine is no finding.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
