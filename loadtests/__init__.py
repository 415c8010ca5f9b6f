"""Load tests: how much the services carry, against a URL or against stand-ins on this machine.

Owns the profiles, their thresholds and what makes the requests. Does not own the limit of a stack
(`components.settings.load_test`) nor how results are shown (`altlas`). Locust is imported by `loadtests.locust_run`
alone, which runs in an environment of its own.
"""
