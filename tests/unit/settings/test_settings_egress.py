"""Settings of what leaves the cluster."""

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem


@pytest.mark.parametrize(
    "value", ["", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "300.0.0.0/8", "0.0.0.0/0", "fd00::/8", "internal"]
)
def test_a_range_that_is_none_is_refused(value: str) -> None:
    """One with host bits would be refused by the API server only; one of everything would leave nothing."""
    assert only_problem(alpha_with({"egress": {"privateRanges": ["10.0.0.0/8", value]}})) == (
        "egress.privateRanges[1]",
        "is not an IPv4 range in CIDR notation; write the network's first address and its prefix length, such as "
        "203.0.113.0/24",
    )


def test_there_are_no_further_ranges_unless_a_stack_names_them() -> None:
    """Those that are never the internet need no naming."""
    assert alpha_settings().egress.private_ranges == ()
    assert alpha_settings({"egress": {"privateRanges": ["8.8.8.0/24"]}}).egress.private_ranges == ("8.8.8.0/24",)


def test_an_api_server_without_an_address_is_refused() -> None:
    """A rule without addresses would let everybody in on the ports of Prometheus, and everything out on 443."""
    assert only_problem(alpha_with({"egress": {"apiServerAddresses": []}})) == (
        "egress",
        "apiServerAddresses is empty, and a rule without addresses lets through to everybody; name those of the "
        "cluster's API server, or leave it out",
    )
