"""Configuration of Alertmanager from the receivers of the stack file."""

import json

import pytest

from components.observability.metrics.alertmanager import configuration
from components.settings.alertmanager import AlertmanagerSettings


@pytest.mark.parametrize(("port", "starts_with_plain_text"), [(587, True), (465, False)])
def test_starttls_is_required_only_where_a_mail_server_offers_it(port: int, starts_with_plain_text: bool) -> None:
    """On 465 the connection is TLS from the first byte; asking for STARTTLS in it fails, and no mail arrives."""
    mail = {"to": "a@example.com", "sender": "b@example.com", "host": "mail.example.com", "port": port}
    settings = AlertmanagerSettings.model_validate_json(json.dumps({"receivers": [{"name": "team", "mail": mail}]}))
    (receiver,) = (each for each in json.loads(configuration(settings, {}))["receivers"] if each["name"] == "team")
    (sent,) = receiver["email_configs"]
    assert (sent["smarthost"], sent["require_tls"]) == (f"mail.example.com:{port}", starts_with_plain_text)
