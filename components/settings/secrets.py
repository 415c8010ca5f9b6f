"""Which secrets a stack knows: their configuration keys and the environment variables they reach. Never their values.

Each is a `secure:` key of its own in the stack file, beside `alt-las:platform`, so that no settings model holds one.
"""

from dataclasses import dataclass, replace

from pydantic.alias_generators import to_camel, to_pascal

from components.settings.secret_forms import Form
from components.settings.services import ServicesSettings, StoreName, short_name


@dataclass(frozen=True, kw_only=True)
class SecretSetting:
    """One secret of the stack configuration.

    Attributes:
        key: Configuration key without the project's prefix.
        description: What the secret is for.
        variables: Environment variables that carry it, by service: every name that is documented or read by the code.
        generated_bytes: Random bytes that `altlas secrets init` makes it of; None where only a person can supply it.
            What is generated is required; what a person supplies may be absent, and then its variables are too.
        is_doubled: Whether the store knows a second password beside this one, which nobody uses until a rotation
            takes the one in use out of use: so no pod is refused, whichever of the two it was given.
        form: What its values look like, so that every place where it is used takes them.
        needed_by: Path of the block below `alt-las:platform` that cannot do without it, or None.
    """

    key: str
    description: str
    variables: dict[str, tuple[str, ...]]
    form: Form = "password"
    generated_bytes: int | None = None
    needed_by: str | None = None
    is_doubled: bool = False

    @property
    def second_key(self) -> str:
        """Configuration key of the second password."""
        return f"{self.key}Second"

    @property
    def required(self) -> bool:
        """True if the program refuses to run without it."""
        return self.generated_bytes is not None


def password_key(store: StoreName, service: str) -> str:
    """Configuration key of the password of a service's user in a store, such as `postgresArchivePassword`."""
    return f"{store}{to_pascal(short_name(service))}Password"


def database_url_key(service: str) -> str:
    """Configuration key of the address of a service's database in a PostgreSQL that the stack does not run."""
    return f"{to_camel(short_name(service))}DatabaseUrl"


_SINGLE = (
    SecretSetting(
        key="apiGatewayJwtSecret",
        description="Signs the gateway's access tokens; without it the gateway ends at start.",
        variables={"api-gateway": ("JWT_SECRET",)},
        form="text",
        generated_bytes=48,
    ),
    SecretSetting(
        key="apiGatewayJwtRefreshSecret",
        description="Signs the gateway's refresh tokens; without it the code falls back to a literal that all know.",
        variables={"api-gateway": ("JWT_REFRESH_SECRET", "REFRESH_TOKEN_SECRET")},
        form="text",
        generated_bytes=48,
    ),
    SecretSetting(
        key="openaiApiKey",
        description="Key for the model API that ai-orchestrator may call.",
        variables={"ai-orchestrator": ("OPENAI_API_KEY", "AI_API_KEY")},
        form="key",
    ),
    SecretSetting(
        key="redisUrl",
        description="Redis with its password, redis://user:password@host:6379.",
        variables={"api-gateway": ("REDIS_URL",)},
        form="redis url",
    ),
    SecretSetting(
        key="natsUrl",
        description="NATS with its credentials, nats://user:password@host:4222.",
        variables=dict.fromkeys(ServicesSettings.with_store("nats"), ("NATS_URL",)),
        form="nats url",
    ),
    *(
        SecretSetting(
            key=database_url_key(service),
            description=f"PostgreSQL database of {service} with its role and password.",
            variables={service: ("DATABASE_URL",)},
            form="postgres url",
        )
        for service in ServicesSettings.with_store("postgres")
    ),
    *(
        SecretSetting(
            key=password_key("postgres", service),
            description=f"Password of {service}'s role in the stack's own PostgreSQL.",
            variables={},
            generated_bytes=32,
            is_doubled=True,
        )
        for service in ServicesSettings.with_store("postgres")
    ),
    SecretSetting(
        key="postgresBackupPassword",
        description="Password of the role that dumps the databases and may change nothing.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="postgresRestorePassword",
        description="Password of the role that restores databases; only `altlas backup restore` gives it to a pod.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="backupEncryptionKey",
        description="Encrypts the dumps; keep a copy outside the cluster, without it no dump can be restored.",
        variables={},
        form="text",
        generated_bytes=32,
    ),
    SecretSetting(
        key="objectStoreAccessKeyId",
        description="Access key of the bucket of the dumps and the write-ahead log.",
        variables={},
        form="key",
        needed_by="backup.objectStore",
    ),
    SecretSetting(
        key="objectStoreSecretAccessKey",
        description="Secret key of the bucket of the dumps and the write-ahead log.",
        variables={},
        form="key",
        needed_by="backup.objectStore",
    ),
    SecretSetting(
        key="redisApiGatewayPassword",
        description="Password of api-gateway's user in the stack's own Redis.",
        variables={},
        generated_bytes=32,
        is_doubled=True,
    ),
    SecretSetting(
        key="redisInternalSecret",
        description="Makes the passwords by which the stack's own Redis servers, sentinels and proxies log in.",
        variables={},
        form="text",
        generated_bytes=32,
    ),
    *(
        SecretSetting(
            key=password_key("nats", service),
            description=f"Password of {service}'s user in the stack's own NATS.",
            variables={},
            generated_bytes=32,
            is_doubled=True,
        )
        for service in ServicesSettings.with_store("nats")
    ),
    SecretSetting(
        key="natsInternalSecret",
        description="Makes the passwords with which the stack's own NATS servers and their keepers know each other.",
        variables={},
        form="text",
        generated_bytes=32,
    ),
    SecretSetting(
        key="alertmanagerWebhookUrl",
        description="Address of the webhook that receives alerts, where the address itself lets anybody write.",
        variables={},
        form="web url",
    ),
    SecretSetting(
        key="alertmanagerMailPassword",
        description="Password of the user at the mail server that sends alerts.",
        variables={},
        form="text",
    ),
    SecretSetting(
        key="grafanaAdminPassword",
        description="Password of Grafana's administrator, the user `admin`.",
        variables={},
        form="text",
        generated_bytes=32,
    ),
    SecretSetting(
        key="grafanaSecretKey",
        description="Encrypts what Grafana keeps of its datasources.",
        variables={},
        form="text",
        generated_bytes=32,
    ),
    SecretSetting(
        key="lokiS3AccessKeyId",
        description="Access key of the bucket in which Loki keeps logs.",
        variables={},
        form="key",
        needed_by="loki.objectStore",
    ),
    SecretSetting(
        key="lokiS3SecretAccessKey",
        description="Secret key of the bucket in which Loki keeps logs.",
        variables={},
        form="key",
        needed_by="loki.objectStore",
    ),
)

_SECOND = tuple(
    replace(
        secret,
        key=secret.second_key,
        description=f"Second password: `altlas secrets rotate {secret.key}` switches between the two.",
        is_doubled=False,
    )
    for secret in _SINGLE
    if secret.is_doubled
)

SECRETS = (*_SINGLE, *_SECOND)
"""Every secret of a stack."""

SECOND_IN_USE = "secondInUse"
"""Configuration key, no secret: keys of the doubled secrets whose second password is in use, separated by spaces."""

ROTATING = "rotating"
"""Configuration key, no secret: keys of the secrets whose rotation has begun and is not finished."""

NOTES = (SECOND_IN_USE, ROTATING)
"""Configuration keys in which a rotation keeps how far it is."""


def noted(text: str | None) -> tuple[str, ...]:
    """The keys in one of the notes of a rotation."""
    return tuple((text or "").split())


OBJECT_STORE_CREDENTIALS = ("objectStoreAccessKeyId", "objectStoreSecretAccessKey")
"""Secrets that only a person can supply and that `backup.objectStore` needs."""
