"""Start, failover and probes of a Redis pod: shell scripts, the same for every stack and every test.

They read their settings from the environment: SELF (own host name), LOCAL (address of the own server and sentinel,
so that no probe depends on DNS), FIRST (host of the first server), PEERS (hosts of all servers, separated by spaces;
empty for a single server), DATA, CONFIGURATION, QUORUM, USERS (file of the users) and PASSWORDS_DIR (directory of the
files REDIS_REPLICATION_PASSWORD, REDIS_SENTINEL_PASSWORD, REDIS_HEALTH_PASSWORD and REDIS_KEEPER_PASSWORD).
FIRST_SECONDS is how long a server that remembers a primary waits for the first server to answer.
"""

from components.stores.redis.configuration import PORT, PRIMARY, SENTINEL_PORT
from components.workloads.passwords import READ_PASSWORDS

_GENERATION = f"""\
# The generation of the data. A server that starts alone makes a new one; servers with an older one copy.
generation=$(ls "$DATA" | sed -nE 's/^(alone|redis)-([0-9]+)[.]conf$/\\2/p' | sort -n | tail -n 1)
generation=${{generation:-0}}
# Sentinels name the primary by its generation, so those of an earlier time have no say in a later one.
primary_name() {{
    if [ "$generation" = 0 ]; then echo {PRIMARY}; else echo "{PRIMARY}-$generation"; fi
}}
"""

_FIND_PRIMARY = f"""\
# Prints what the server of a host says of itself: generation, primary (itself or whom it follows), state of that link.
ask() {{
    REDISCLI_AUTH="$REDIS_HEALTH_PASSWORD" timeout 2 redis-cli -h "$1" -p {PORT} --user health info 2>/dev/null |
        tr -d '\\r' | awk -F: -v primary="${{2:-$1}}" '
            $1 == "config_file" {{ sub(/.*\\//, "", $2); gsub(/[^0-9]/, "", $2); generation = $2 == "" ? "0" : $2 }}
            $1 == "master_host" {{ primary = $2 }}
            $1 == "master_link_status" {{ link = $2 }}
            END {{ if (generation != "") print generation, primary, link == "" ? "-" : link }}'
}}
# Prints the primary in such an answer.
primary_in() {{
    echo "$1" | cut -d ' ' -f 2
}}
# Whether such an answer tells of a later generation.
is_later() {{
    [ -n "$1" ] && [ "${{1%% *}}" -gt "$generation" ]
}}
# Prints the primary that a sentinel knows, or nothing.
find_primary() {{
    for host in $PEERS; do
        found=$(REDISCLI_AUTH="$REDIS_SENTINEL_PASSWORD" timeout 2 redis-cli -h "$host" -p {SENTINEL_PORT} \\
            sentinel get-master-addr-by-name "$(primary_name)" 2>/dev/null | head -n 1)
        for peer in $PEERS; do
            if [ "$found" = "$peer" ]; then echo "$found"; return; fi
        done
    done
}}
# Names a file of a generation.
file_of() {{
    if [ "$2" = 0 ]; then echo "$DATA/$1.conf"; else echo "$DATA/$1-$2.conf"; fi
}}
# Removes the files of a kind, but not the one in use.
remove_others() {{
    for file in "$DATA/$1.conf" "$DATA/$1"-*.conf; do
        if [ "$file" != "$2" ]; then rm -f "$file"; fi
    done
}}
"""

START_SERVER = f"""\
#!/bin/sh
# Starts the server as follower of the present primary, or as primary.
# Whom it followed last is all that is kept of its old configuration, so that new settings take effect.
# The name of that file has the generation, which others read by INFO.
set -eu
umask 077
{READ_PASSWORDS}{_GENERATION}{_FIND_PRIMARY}
alone=$(file_of alone "$generation")
before=$(file_of redis "$generation")
if [ -f "$alone" ]; then before="$alone"; fi
if [ -z "$PEERS" ]; then
    if [ ! -f "$alone" ]; then
        now=$(date +%s)
        generation=$((now > generation ? now : generation + 1))
    fi
    primary="$SELF"
    own=$(file_of alone "$generation")
    rm -f "$DATA/copy-first"
else
    primary=""
    until=$(($(date +%s) + ${{FIRST_SECONDS:-30}}))
    while [ -z "$primary" ]; do
        first=""
        later=""
        for peer in $PEERS; do
            if [ "$peer" = "$SELF" ]; then continue; fi
            answer=$(ask "$peer")
            if [ "$peer" = "$FIRST" ]; then first="$answer"; fi
            # Who has to copy is not the one to copy from: then the sentinels will choose another.
            if is_later "$answer" && [ "$(primary_in "$answer")" != "$SELF" ]; then later="$answer"; fi
        done
        if [ -n "$later" ]; then
            primary=$(primary_in "$later")
            generation=${{later%% *}}
            touch "$DATA/copy-first"
        else
            primary=$(find_primary)
        fi
        # Only the first server can have run alone since, so it is heard before a memory counts.
        if [ -z "$primary" ] && {{ [ "$SELF" = "$FIRST" ] || [ -n "$first" ]; }}; then
            until=0
        fi
        if [ -z "$primary" ] && [ -f "$before" ] && [ "$(date +%s)" -ge "$until" ]; then
            primary=$(sed -n 's/^replicaof "*\\([^ "]*\\)"* .*/\\1/p' "$before" | tail -n 1)
            primary=${{primary:-$SELF}}
        elif [ -z "$primary" ] && [ "$until" = 0 ]; then
            primary="$FIRST"
        fi
        if [ -z "$primary" ]; then sleep 1; fi
    done
    own=$(file_of redis "$generation")
fi
{{
    echo "include $CONFIGURATION/redis.conf"
    echo "masterauth $REDIS_REPLICATION_PASSWORD"
    if [ -n "$PEERS" ]; then echo "replica-announce-ip $SELF"; fi
    if [ "$primary" != "$SELF" ]; then echo "replicaof $primary {PORT}"; fi
}} > "$own.new"
mv "$own.new" "$own"
if [ -n "$PEERS" ]; then
    remove_others alone ""
    remove_others redis "$own"
fi
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
# Of another generation only identity and epoch count; where the primary is, the server in its pod knows.
set -eu
umask 077
{READ_PASSWORDS}{_GENERATION}{_FIND_PRIMARY}
# A server that has to copy first could be promoted without the data, so its sentinel waits.
primary=""
while [ -z "$primary" ]; do
    answer=$(ask "$LOCAL" "$SELF")
    followed=$(primary_in "$answer")
    if [ "${{answer##* }}" = up ] || [ "$followed" = "$SELF" ]; then rm -f "$DATA/copy-first"; fi
    for peer in $PEERS; do
        if [ "$followed" = "$peer" ] && [ ! -f "$DATA/copy-first" ]; then primary="$peer"; fi
    done
    if [ -z "$primary" ]; then sleep 1; fi
done
generation=${{answer%% *}}
own=$(file_of sentinel "$generation")
kept='myid|current-epoch'
memory=$(ls -t "$DATA"/sentinel.conf "$DATA"/sentinel-*.conf 2>/dev/null | head -n 1)
if [ -f "$own" ]; then
    memory="$own"
    kept="$kept|known-sentinel $(primary_name)|leader-epoch $(primary_name)"
    before=$(sed -n "s/^sentinel monitor $(primary_name) \\([^ ]*\\) .*/\\1/p" "$own" | tail -n 1)
    primary=$(find_primary)
    # Of another time, the list of replicas would hold the present primary, and the sentinel would demote it.
    if [ "${{primary:=$before}}" = "$before" ]; then
        kept="$kept|config-epoch $(primary_name)|known-replica $(primary_name)"
    fi
fi
learned=""
if [ -n "$memory" ]; then learned=$(grep -E "^sentinel ($kept) " "$memory" || true); fi
# The first server may run alone by now, or have run. The sentinel would demote it, if it were in the list.
first=$(ask "$FIRST")
if [ -z "$first" ] || is_later "$first"; then
    learned=$(echo "$learned" | grep -v "known-replica $(primary_name) $FIRST " || true)
fi
{{
    cat "$CONFIGURATION/sentinel.conf"
    echo "dir $DATA"
    echo "sentinel announce-ip $SELF"
    echo "requirepass $REDIS_SENTINEL_PASSWORD"
    echo "sentinel sentinel-pass $REDIS_SENTINEL_PASSWORD"
    echo "sentinel monitor $(primary_name) $primary {PORT} $QUORUM"
    sed "s/ {PRIMARY} / $(primary_name) /" "$CONFIGURATION/sentinel-primary.conf"
    echo "sentinel auth-pass $(primary_name) $REDIS_SENTINEL_PASSWORD"
    echo "$learned"
}} > "$own.new"
mv "$own.new" "$own"
remove_others sentinel "$own"
exec redis-server "$own" --sentinel
"""

HAND_OVER = f"""\
#!/bin/sh
# Before the server ends. A primary answers no more writes, waits until its replicas have what it has answered, and lets
# a sentinel promote one of them. A replica stays three seconds, in which a primary that ends at the same time stops.
{READ_PASSWORDS}{_GENERATION}
replication() {{
    REDISCLI_AUTH="$REDIS_HEALTH_PASSWORD" redis-cli -h "$LOCAL" -p {PORT} --user health info replication 2>/dev/null |
        tr -d '\\r'
}}
# Prints the hosts of the replicas that have everything up to an offset. A client that makes a dump has no port.
replicas() {{
    replication | awk -F '[:,=]' -v offset="$1" '/^slave[0-9]+:/ && $5 > 0 && $9 >= offset {{ print $3 }}'
}}
# Asks the own sentinel; a server that ran alone has none, but its replicas have.
sentinel() {{
    for host in "$LOCAL" $others; do
        REDISCLI_AUTH="$REDIS_SENTINEL_PASSWORD" timeout 2 redis-cli -h "$host" -p {SENTINEL_PORT} \\
            sentinel "$1" "$(primary_name)" 2>/dev/null && return
    done
}}
others=""
answered=""
tries=0
calm=0
while [ "$tries" -lt 20 ] && [ "$calm" -lt 3 ]; do
    case $(replication) in
    *role:master*)
        calm=0
        if [ -z "$others" ]; then
            others=$(replicas 0 | tr '\\n' ' ')
            if [ -z "$others" ]; then exit 0; fi
            REDISCLI_AUTH="$REDIS_KEEPER_PASSWORD" redis-cli -h "$LOCAL" -p {PORT} --user keeper \\
                client pause 60000 write >/dev/null 2>&1
            answered=$(replication | sed -n 's/^master_repl_offset://p')
        fi
        present=$(sentinel get-master-addr-by-name | head -n 1)
        case " $others" in *" $present "*) break ;; esac
        if [ "$(replicas 0)" = "$(replicas "$answered")" ]; then sentinel failover >/dev/null; fi
        ;;
    *) calm=$((calm + 1)) ;;
    esac
    tries=$((tries + 1))
    sleep 1
done
# The proxies see the new primary.
sleep 1
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
