"""Alert receivers and routes. Never a password or an address that is one."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from components.settings.base import Settings, section, setting
from components.settings.image import ImageSettings
from components.settings.names import DnsLabel, DnsName, NetworkRange
from components.settings.workload import Memory, QuantitySettings, ResourceSettings

WEBHOOK_SECRET = "alertmanagerWebhookUrl"  # noqa: S105  # the name of a configuration key
MAIL_SECRET = "alertmanagerMailPassword"  # noqa: S105  # the name of a configuration key
NOBODY = "nobody"
"""Receiver that every stack has: alerts are shown, but not sent."""


def _mail_address(text: str) -> str:
    local, _, domain = text.partition("@")
    if not local or "." not in domain or any(character.isspace() for character in text):
        raise ValueError("is not a mail address; write one such as on-call@example.com")
    return text


MailAddress = Annotated[str, AfterValidator(_mail_address)]


class WebhookSettings(Settings):
    """An HTTPS address that gets every alert as JSON."""

    url: str | None = setting(
        "feature",
        f"Address, where it is no secret; null takes the one in the secret alt-las:{WEBHOOK_SECRET}, because most "
        "chat systems' addresses are passwords.",
        None,
        pattern=r"^https://[^/\s@]+(/\S*)?$",
        examples=["https://alerts.example.com/hook"],
    )


_HTTPS_PORT = 443
SMTPS_PORT = 465
"""Port on which a mail server speaks TLS from the first byte (RFC 8314)."""


class MailSettings(Settings):
    """A mailbox, and the server that takes mail for it."""

    to: MailAddress = setting("feature", "Mailbox that receives alerts.")
    sender: MailAddress = setting("feature", "Mailbox that the mail comes from.")
    host: DnsName = setting("feature", "Mail server, reached with TLS.")
    port: Literal[465, 587] = setting(
        "feature", "Port of the mail server: 587 for STARTTLS, 465 for TLS from the first byte.", 587
    )
    username: str | None = setting(
        "feature",
        f"User name at the server; its password is the secret alt-las:{MAIL_SECRET}. Null for no login.",
        None,
    )


class ReceiverSettings(Settings):
    """Receiver of alerts: a webhook or a mailbox."""

    name: DnsLabel = setting("feature", "Name of the receiver, for the routes.")
    ranges: tuple[NetworkRange, ...] = setting(
        "security", "IPv4 ranges in which the address is, such as those of a mail relay; empty for public ones.", ()
    )
    webhook: WebhookSettings | None = section("Address of a webhook.", None)
    mail: MailSettings | None = section("Address of a mailbox.", None)

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if self.name == NOBODY:
            raise ValueError(f"name is {NOBODY!r}, which every stack has and which tells nobody; choose another name")
        if (self.webhook is None) == (self.mail is None):
            found = "no address" if self.webhook is None else "two addresses"
            raise ValueError(
                f"the receiver {self.name!r} has {found}; give it exactly one of webhook and mail, or name "
                f"{NOBODY!r} in the route"
            )
        return self

    @property
    def needed_secret(self) -> str | None:
        """Configuration key of the secret that the receiver cannot do without, or None."""
        if self.webhook is not None:
            return WEBHOOK_SECRET if self.webhook.url is None else None
        return MAIL_SECRET if self.mail is not None and self.mail.username is not None else None

    @property
    def port(self) -> int:
        """TCP port at which the receiver is reached."""
        if self.mail is not None:
            return self.mail.port
        url = self.webhook.url if self.webhook else None
        return (urlsplit(url).port if url else None) or _HTTPS_PORT


class AlertRouteSettings(Settings):
    """Receivers by severity."""

    page: str = setting("feature", "Receiver of alerts that must be handled at any hour.", NOBODY)
    ticket: str = setting("feature", "Receiver of alerts that can wait for a working day.", NOBODY)
    heartbeat: str = setting(
        "feature",
        "Receiver of the alert that always fires, once a minute. Outside the cluster, it notices when it stops coming.",
        NOBODY,
    )

    def by_severity(self) -> dict[str, str]:
        """Receiver by the alert's severity."""
        return {"page": self.page, "ticket": self.ticket, "heartbeat": self.heartbeat}


class AlertmanagerSettings(Settings):
    """Alertmanager: groups alerts, keeps silences, and tells the receivers."""

    image: ImageSettings = section("Image of the server.", ImageSettings(repository="prom/alertmanager", tag="v0.28.1"))
    replicas: int = setting("capacity", "Servers, which tell each alert once among them.", 1, ge=1, le=3, unit="pods")
    retention_hours: int = setting("data", "How long silences and notifications are kept.", 120, ge=1, unit="hours")
    storage_size: Memory = setting("data", "Volume of each server. It can grow, never shrink.", "1Gi", unit="Gi")
    storage_class: str | None = setting("data", "StorageClass of the volumes; null for the cluster's default.", None)
    resources: ResourceSettings = section(
        "What each server is guaranteed and may use.",
        ResourceSettings(
            requests=QuantitySettings(cpu="20m", memory="64Mi"), limits=QuantitySettings(cpu="200m", memory="128Mi")
        ),
    )
    receivers: tuple[ReceiverSettings, ...] = setting("feature", "Who can be told.", ())
    routes: AlertRouteSettings = section("Receivers by severity.", AlertRouteSettings())
    group_wait_seconds: int = setting(
        "feature", "Wait for further alerts of a group before the first message.", 30, ge=0, le=600, unit="seconds"
    )
    group_interval_seconds: int = setting(
        "feature", "Least time between two messages about a group.", 300, ge=10, le=86400, unit="seconds"
    )
    repeat_interval_hours: int = setting(
        "feature", "Time after which an alert that still fires is sent again.", 4, ge=1, le=168, unit="hours"
    )

    @model_validator(mode="after")
    def _routes_lead_to_receivers(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"receivers has the name {', '.join(doubled)} twice; give each its own")
        for severity, name in self.routes.by_severity().items():
            if name not in (NOBODY, *names):
                raise ValueError(
                    f"routes.{severity} names the unknown receiver {name!r}; known: {', '.join((NOBODY, *names))}"
                )
        return self
