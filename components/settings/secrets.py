"""Which secrets a stack knows: their configuration keys and the environment variables they reach. Never their values.

Each is a `secure:` key of its own in the stack file, beside `alt-las:platform`, so that no settings model holds one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SecretSetting:
    """One secret of the stack configuration.

    Attributes:
        key: Configuration key without the project's prefix.
        description: What the secret is for.
        variables: Environment variables that carry it, by service: every name that is documented or read by the code.
        generated_bytes: Random bytes that `altlas secrets init` makes it of; None where only a person can supply it.
            What is generated is required; what a person supplies may be absent, and then its variables are too.
    """

    key: str
    description: str
    variables: dict[str, tuple[str, ...]]
    generated_bytes: int | None = None

    @property
    def required(self) -> bool:
        """Whether the program refuses to run without it."""
        return self.generated_bytes is not None


SECRETS = (
    SecretSetting(
        key="apiGatewayJwtSecret",
        description="Signs the gateway's access tokens; without it the gateway ends at start.",
        variables={"api-gateway": ("JWT_SECRET",)},
        generated_bytes=48,
    ),
    SecretSetting(
        key="apiGatewayJwtRefreshSecret",
        description="Signs the gateway's refresh tokens; without it the code falls back to a literal that all know.",
        variables={"api-gateway": ("JWT_REFRESH_SECRET", "REFRESH_TOKEN_SECRET")},
        generated_bytes=48,
    ),
    SecretSetting(
        key="openaiApiKey",
        description="Key for the model API that ai-orchestrator may call.",
        variables={"ai-orchestrator": ("OPENAI_API_KEY", "AI_API_KEY")},
    ),
    SecretSetting(
        key="redisUrl",
        description="Redis with its password, redis://user:password@host:6379.",
        variables={"api-gateway": ("REDIS_URL",)},
    ),
    SecretSetting(
        key="natsUrl",
        description="NATS with its credentials, nats://user:password@host:4222.",
        variables={"runner-service": ("NATS_URL",), "archive-service": ("NATS_URL",)},
    ),
    SecretSetting(
        key="segmentationDatabaseUrl",
        description="PostgreSQL database of segmentation-service with its role and password.",
        variables={"segmentation-service": ("DATABASE_URL",)},
    ),
    SecretSetting(
        key="archiveDatabaseUrl",
        description="PostgreSQL database of archive-service with its role and password.",
        variables={"archive-service": ("DATABASE_URL",)},
    ),
    SecretSetting(
        key="postgresSegmentationPassword",
        description="Password of segmentation-service's role in the stack's own PostgreSQL.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="postgresArchivePassword",
        description="Password of archive-service's role in the stack's own PostgreSQL.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="postgresBackupPassword",
        description="Password of the role that dumps the databases and may change nothing.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="backupEncryptionKey",
        description="Encrypts the dumps; keep a copy outside the cluster, without it no dump can be restored.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="redisApiGatewayPassword",
        description="Password of api-gateway's user in the stack's own Redis.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="redisInternalSecret",
        description="Makes the passwords by which the stack's own Redis servers, sentinels and proxies log in.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="natsRunnerPassword",
        description="Password of runner-service's user in the stack's own NATS.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="natsArchivePassword",
        description="Password of archive-service's user in the stack's own NATS.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="natsInternalSecret",
        description="Makes the passwords with which the stack's own NATS servers and their keepers know each other.",
        variables={},
        generated_bytes=32,
    ),
    SecretSetting(
        key="alertmanagerWebhookUrl",
        description="Address of the webhook that is told about alerts, where the address itself lets anybody write.",
        variables={},
    ),
    SecretSetting(
        key="alertmanagerMailPassword",
        description="Password of the user at the mail server that sends alerts.",
        variables={},
    ),
)
