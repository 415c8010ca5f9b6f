"""Start, failover and probes of a Redis pod: shell scripts, the same for every stack and every test.

They read their settings from the environment: SELF (own host name), LOCAL (address of the own server and sentinel,
so that no probe depends on DNS), FIRST (host of the first server), PEERS (hosts of all servers, separated by spaces;
empty for a single server), DATA, CONFIGURATION, QUORUM, USERS (file of the users) and PASSWORDS_DIR (directory of the
files REDIS_REPLICATION_PASSWORD, REDIS_SENTINEL_PASSWORD, REDIS_HEALTH_PASSWORD and REDIS_KEEPER_PASSWORD).
"""

from components.stores.redis.configuration import PORT, PRIMARY, SENTINEL_PORT
from components.workloads.passwords import READ_PASSWORDS

_FIND_PRIMARY = f"""\
# Prints the primary that a sentinel knows, or nothing.
find_primary() {{
    for host in $PEERS; do
        found=$(REDISCLI_AUTH="$REDIS_SENTINEL_PASSWORD" timeout 2 redis-cli -h "$host" -p {SENTINEL_PORT} \\
            sentinel get-master-addr-by-name {PRIMARY} 2>/dev/null | head -n 1)
        for peer in $PEERS; do
            if [ "$found" = "$peer" ]; then echo "$found"; return; fi
        done
    done
}}
"""

START_SERVER = f"""\
#!/bin/sh
# Starts the server as follower of the present primary, or as primary.
# Whom it followed last is all that is kept of its old configuration, so that new settings take effect.
set -eu
umask 077
{READ_PASSWORDS}own="$DATA/redis.conf"
{_FIND_PRIMARY}
primary=""
if [ -n "$PEERS" ]; then
    primary=$(find_primary)
    if [ -z "$primary" ] && [ -f "$own" ]; then
        primary=$(sed -n 's/^replicaof "*\\([^ "]*\\)"* .*/\\1/p' "$own" | tail -n 1)
    elif [ -z "$primary" ]; then
        primary="$FIRST"
    fi
fi
{{
    echo "include $CONFIGURATION/redis.conf"
    echo "masterauth $REDIS_REPLICATION_PASSWORD"
    if [ -n "$PEERS" ]; then echo "replica-announce-ip $SELF"; fi
    if [ -n "$primary" ] && [ "$primary" != "$SELF" ]; then echo "replicaof $primary {PORT}"; fi
}} > "$own.new"
mv "$own.new" "$own"
# Read before the server reads them, so that no change in between is missed.
TAKEN=$(cat "$USERS") sh "$CONFIGURATION/follow-users.sh" &
exec redis-server "$own"
"""

FOLLOW_USERS = f"""\
#!/bin/sh
# Lets the server read its users again when they change. The kubelet swaps the mounted file and tells nobody.
# A file that the server refuses is tried again; until then the users of before go on.
taken=$TAKEN
while sleep "${{FOLLOW_SECONDS:-5}}"; do
    found=$(cat "$USERS") || continue
    if [ "$found" = "$taken" ]; then continue; fi
    answer=$(REDISCLI_AUTH="$REDIS_KEEPER_PASSWORD" redis-cli -h "$LOCAL" -p {PORT} --user keeper acl load 2>&1)
    if [ "$answer" = "OK" ]; then taken=$found; fi
    echo "The users have changed. The server said: $answer"
done
"""

START_SENTINEL = f"""\
#!/bin/sh
# Starts the sentinel with what it learned before: its identity, the epoch, the others, and where the primary is.
set -eu
umask 077
{READ_PASSWORDS}own="$DATA/sentinel.conf"
{_FIND_PRIMARY}
learned=""
primary=$(find_primary)
if [ -f "$own" ]; then
    before=$(sed -n 's/^sentinel monitor {PRIMARY} \\([^ ]*\\) .*/\\1/p' "$own" | tail -n 1)
    kept='myid|current-epoch|known-sentinel {PRIMARY}|leader-epoch {PRIMARY}'
    if [ "${{primary:=$before}}" = "$before" ]; then
        kept="$kept|config-epoch {PRIMARY}|known-replica {PRIMARY}"
    fi
    # Of another time, the list of replicas would hold the present primary, and the sentinel would demote it.
    learned=$(grep -E "^sentinel ($kept) " "$own" || true)
fi
{{
    cat "$CONFIGURATION/sentinel.conf"
    echo "dir $DATA"
    echo "sentinel announce-ip $SELF"
    echo "requirepass $REDIS_SENTINEL_PASSWORD"
    echo "sentinel sentinel-pass $REDIS_SENTINEL_PASSWORD"
    echo "sentinel monitor {PRIMARY} ${{primary:-$FIRST}} {PORT} $QUORUM"
    cat "$CONFIGURATION/sentinel-primary.conf"
    echo "sentinel auth-pass {PRIMARY} $REDIS_SENTINEL_PASSWORD"
    echo "$learned"
}} > "$own.new"
mv "$own.new" "$own"
exec redis-server "$own" --sentinel
"""

HAND_OVER = f"""\
#!/bin/sh
# Before the server ends: if it is the primary, another takes over, and the proxies have time to see it.
{READ_PASSWORDS}role() {{
    REDISCLI_AUTH="$REDIS_HEALTH_PASSWORD" redis-cli -h "$LOCAL" -p {PORT} --user health info replication 2>/dev/null |
        tr -d '\\r' | sed -n 's/^role://p'
}}
tries=0
while [ -n "$PEERS" ] && [ "$(role)" = "master" ] && [ "$tries" -lt 20 ]; do
    REDISCLI_AUTH="$REDIS_SENTINEL_PASSWORD" redis-cli -h "$LOCAL" -p {SENTINEL_PORT} sentinel failover {PRIMARY} \\
        >/dev/null 2>&1
    tries=$((tries + 1))
    sleep 1
done
sleep 2
"""

IS_READY = f"""\
#!/bin/sh
# A server that still loads its file answers LOADING and is not ready.
{READ_PASSWORDS}answer=$(REDISCLI_AUTH="$REDIS_HEALTH_PASSWORD" redis-cli -h "$LOCAL" -p {PORT} --user health ping)
[ "$answer" = "PONG" ]
"""

IS_SENTINEL_READY = f"""\
#!/bin/sh
# A sentinel that hangs still has its port open, but it answers nobody.
{READ_PASSWORDS}answer=$(REDISCLI_AUTH="$REDIS_SENTINEL_PASSWORD" redis-cli -h "$LOCAL" -p {SENTINEL_PORT} ping)
[ "$answer" = "PONG" ]
"""

SCRIPTS = {
    "start-server.sh": START_SERVER,
    "follow-users.sh": FOLLOW_USERS,
    "start-sentinel.sh": START_SENTINEL,
    "hand-over.sh": HAND_OVER,
    "is-ready.sh": IS_READY,
    "is-sentinel-ready.sh": IS_SENTINEL_READY,
}
"""The scripts by file name."""
