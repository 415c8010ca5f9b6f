"""The schedules of the dumps and drills of every store, and what their pods may do."""

from typing import Any

import pulumi
import pytest

from components.settings.secrets import SECRETS
from rendering.recorder import record
from tests.support.certificates import AUTHORITY
from tests.support.documents import STACKS, alpha_with, platform_of
from tests.support.program import find

STORES = ("postgres", "redis", "nats")
COMMAND = ("python", "-m", "backup", "--root", "/backups")
UPLOADS = {"endpoint": "https://s3.example.com:9000", "bucket": "alt-las", "ranges": ["192.0.2.0/28"]}

Objects = list[dict[str, Any]]


@pytest.fixture(scope="module")
def objects() -> Objects:
    """Alpha as it is."""
    return record("alpha", platform_of("alpha")).objects


@pytest.fixture(scope="module")
def uploading() -> Objects:
    """Alpha with an object store in a private network."""
    return record("alpha", alpha_with({"backup.objectStore": UPLOADS})).objects


def pod_of(objects: Objects, name: str) -> Any:
    """Pod template of a CronJob."""
    return find(objects, "CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]


def environment(objects: Objects, name: str) -> dict[str, Any]:
    """Variables of the only container of a CronJob."""
    (container,) = pod_of(objects, name)["spec"]["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def passwords(objects: Objects, name: str) -> list[str]:
    """Files with passwords that the pods of a CronJob get."""
    volumes = {each["name"]: each for each in pod_of(objects, name)["spec"]["volumes"]}
    return [each["path"] for each in volumes["passwords"]["secret"]["items"]]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("kind", ["backup", "backup-drill"])
def test_dumps_and_drills_have_an_end_a_history_and_no_second_at_once(objects: Objects, store: str, kind: str) -> None:
    """The same for every store."""
    spec = find(objects, "CronJob", f"{store}-{kind}")["spec"]
    job = spec["jobTemplate"]["spec"]
    assert (spec["timeZone"], spec["startingDeadlineSeconds"], spec["concurrencyPolicy"]) == ("Etc/UTC", 600, "Forbid")
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 3)
    assert (job["activeDeadlineSeconds"], job["backoffLimit"], job["ttlSecondsAfterFinished"]) == (3600, 2, 604800)
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_no_two_schedules_begin_at_the_same_minute(objects: Objects) -> None:
    """One store after the other."""
    schedules = [each["spec"]["schedule"] for each in objects if each["kind"] == "CronJob"]
    assert len(set(schedules)) == len(schedules) == 6


@pytest.mark.parametrize("store", STORES)
def test_jobs_and_their_pods_say_whose_they_are(objects: Objects, store: str) -> None:
    """By these labels monitoring finds them."""
    for kind, action in (("backup", "dump"), ("backup-drill", "drill")):
        wanted = {"alt-las.io/store": store, "alt-las.io/backup-action": action}
        schedule = find(objects, "CronJob", f"{store}-{kind}")
        for labelled in (schedule, schedule["spec"]["jobTemplate"], pod_of(objects, f"{store}-{kind}")):
            assert wanted.items() <= labelled["metadata"]["labels"].items()


@pytest.mark.parametrize(("store", "parts"), [("redis", ()), ("nats", ())])
def test_a_dump_is_proven_and_thinned_out(objects: Objects, store: str, parts: tuple[str, ...]) -> None:
    """All that the store holds."""
    (container,) = pod_of(objects, f"{store}-backup")["spec"]["containers"]
    assert container["command"] == [*COMMAND, "dump", store, "--drill", "--keep", "3", "--days", "7", *parts]


@pytest.mark.parametrize("store", STORES)
def test_a_drill_has_the_key_and_nothing_else(objects: Objects, store: str) -> None:
    """It reads the volume, writes nothing there, and reaches nobody."""
    (container,) = pod_of(objects, f"{store}-backup-drill")["spec"]["containers"]
    assert container["command"] == [*COMMAND, "drill", store]
    found = environment(objects, f"{store}-backup-drill")
    assert found == {"BACKUP_REPORT": "/dev/termination-log", "PASSWORDS_DIR": "/etc/passwords"}
    assert passwords(objects, f"{store}-backup-drill") == ["BACKUP_KEY"]
    secret = find(objects, "Secret", f"{store}-backup-drill-secrets")
    assert secret["stringData"] == {"BACKUP_KEY": "<backupEncryptionKey>"}
    volumes = {each["name"]: each for each in pod_of(objects, f"{store}-backup-drill")["spec"]["volumes"]}
    assert volumes["backups"]["persistentVolumeClaim"] == {"claimName": f"{store}-backup-dumps", "readOnly": True}
    policy = find(objects, "NetworkPolicy", f"{store}-backup-drill")["spec"]
    assert (policy["ingress"], policy["egress"]) == ([], [])


@pytest.mark.parametrize("stack", STACKS)
def test_redis_is_dumped_from_its_servers_and_restored_to_its_address(stack: str) -> None:
    """One server is its own address; of several the dump chooses a replica."""
    found = record(stack, platform_of(stack)).objects
    variables, namespace = environment(found, "redis-backup"), platform_of(stack)["namespace"]
    domain = f"redis-servers.{namespace}.svc"
    hosts = {"alpha": "redis", "beta": f"redis-0.{domain} redis-1.{domain} redis-2.{domain}"}
    assert variables["REDIS_HOSTS"] == hosts[stack]
    assert (variables["REDIS_HOST"], variables["REDIS_PORT"]) == ("redis", "6379")
    egress = find(found, "NetworkPolicy", "redis-backup")["spec"]["egress"]
    reached = [rule["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for rule in egress[:-1]]
    assert reached == {"alpha": ["redis"], "beta": ["redis-proxy", "redis"]}[stack]


def test_the_passwords_of_restores_are_kept_and_given_to_no_schedule(objects: Objects) -> None:
    """They lie beside those of the dumps, for the Job of a restore."""
    for store in ("redis", "nats"):
        name = f"{store.upper()}_RESTORE_PASSWORD"
        secret = find(objects, "Secret", f"{store}-backup-secrets")["stringData"]
        assert secret.keys() == {f"{store.upper()}_PASSWORD", name, "BACKUP_KEY"}
        assert len(set(secret.values())) == 3
        assert passwords(objects, f"{store}-backup") == [f"{store.upper()}_PASSWORD", "BACKUP_KEY"]


@pytest.mark.parametrize("store", STORES)
def test_dumps_are_uploaded_where_there_is_an_object_store(uploading: Objects, store: str) -> None:
    """Settings as variables, credentials from the Secret, and one way out more."""
    found = environment(uploading, f"{store}-backup")
    assert {name: found[name] for name in ("S3_ENDPOINT", "S3_BUCKET", "S3_PREFIX", "S3_REGION")} == {
        "S3_ENDPOINT": "https://s3.example.com:9000",
        "S3_BUCKET": "alt-las",
        "S3_PREFIX": "alpha/dumps/1",
        "S3_REGION": "us-east-1",
    }
    assert passwords(uploading, f"{store}-backup")[-2:] == ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]
    rules = find(uploading, "NetworkPolicy", f"{store}-backup")["spec"]["egress"]
    assert rules[-1] == {
        "to": [{"ipBlock": {"cidr": "192.0.2.0/28"}}],
        "ports": [{"protocol": "TCP", "port": 9000}],
    }
    assert not [name for name in environment(uploading, f"{store}-backup-drill") if name.startswith("S3_")]


def test_an_object_store_on_public_addresses_is_reached_and_no_private_one(objects: Objects) -> None:
    """Without ranges of its own; and without an object store nothing outside is reached at all."""
    public = record("alpha", alpha_with({"backup.objectStore": UPLOADS | {"ranges": []}})).objects
    block = find(public, "NetworkPolicy", "nats-backup")["spec"]["egress"][-1]["to"][0]["ipBlock"]
    assert block["cidr"] == "0.0.0.0/0"
    assert "10.0.0.0/8" in block["except"]
    rules = find(objects, "NetworkPolicy", "nats-backup")["spec"]["egress"]
    assert not [rule for rule in rules if "ipBlock" in rule["to"][0]]


def test_the_operator_s_plugin_logs_in_with_the_same_credentials(uploading: Objects) -> None:
    """Under the name that the ObjectStore refers to."""
    secret = find(uploading, "Secret", "postgres-wal-credentials")
    assert secret["stringData"] == {
        "ACCESS_KEY_ID": "<objectStoreAccessKeyId>",
        "ACCESS_SECRET_KEY": "<objectStoreSecretAccessKey>",
        "REGION": "us-east-1",
    }


@pytest.mark.parametrize("encryption", [None, "AES256", "aws:kms"])
def test_dumps_and_log_are_uploaded_by_the_same_rules(encryption: str | None) -> None:
    """Region, CA, encryption, checksums and folder: a dump that arrives means that the log arrives."""
    chosen = {"region": "eu-west-3", "endpointCa": AUTHORITY, "encryption": encryption, "generation": 2}
    made = record("beta", platform_of("beta") | _with_bucket("beta", UPLOADS | chosen)).objects
    dump = environment(made, "postgres-backup")
    spec = find(made, "ObjectStore", "postgres-wal")["spec"]
    configuration = spec["configuration"]
    secret = find(made, "Secret", configuration["s3Credentials"]["region"]["name"])["stringData"]
    assert dump["S3_REGION"] == secret[configuration["s3Credentials"]["region"]["key"]] == "eu-west-3"
    assert dump["S3_CA"] == secret[configuration["endpointCA"]["key"]] == AUTHORITY
    assert dump.get("S3_ENCRYPTION") == encryption
    upload = {"compression": "gzip"} | ({"encryption": encryption} if encryption else {})
    assert configuration["wal"] == configuration["data"] == upload
    assert dump["S3_PREFIX"] == "beta/dumps/2"
    assert configuration["destinationPath"] == "s3://alt-las/beta/wal"
    (plugin,) = find(made, "Cluster", "postgres-db")["spec"]["plugins"]
    assert plugin["parameters"]["serverName"] == "postgres-2"
    assert {each["name"]: each["value"] for each in spec["instanceSidecarConfiguration"]["env"]} == {
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def test_without_a_word_nothing_is_asked_of_the_store(uploading: Objects) -> None:
    """Stores without a key service refuse uploads that ask for encryption."""
    configuration = find(uploading, "ObjectStore", "postgres-wal")["spec"]["configuration"]
    assert configuration["wal"] == configuration["data"] == {"compression": "gzip"}
    assert "endpointCA" not in configuration
    assert not {"S3_CA", "S3_ENCRYPTION"} & environment(uploading, "redis-backup").keys()


def _with_bucket(stack: str, bucket: dict[str, Any]) -> dict[str, Any]:
    return {"backup": platform_of(stack)["backup"] | {"objectStore": bucket}}


def test_an_object_store_without_credentials_is_refused_before_anything_is_registered() -> None:
    """Both are named, with the command that sets them."""
    required = {secret.key: f"<{secret.key}>" for secret in SECRETS if secret.required}
    with pytest.raises(pulumi.RunError) as caught:
        record("alpha", alpha_with({"backup.objectStore": UPLOADS}), required)
    for key in ("objectStoreAccessKeyId", "objectStoreSecretAccessKey"):
        assert f"alt-las:{key}: is missing, and backup.objectStore needs it; set it with" in str(caught.value)
