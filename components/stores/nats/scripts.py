"""Start of a NATS server and the Job that makes the streams: shell scripts, the same for every stack and every test.

They read their settings from the environment: CONFIGURATION (folder of the files), RUN (folder of the process
identifier), DATA (the volume) and PASSWORDS_DIR (folder of the passwords).
"""

from components.workloads.passwords import READ_PASSWORDS

START_SERVER = """\
#!/bin/sh
# Starts the server, and lets it read its users again when they change. The kubelet swaps the mounted file and tells
# nobody. A file that the server refuses changes nothing: it says so in its log and goes on with the users of before.
# A stream that could not be written stays closed when the volume has room again, until its server is started again: it
# ends then, and the kubelet starts it.
set -eu
users="$CONFIGURATION/accounts.conf"
# Read before the server reads them, so that no change in between is missed.
taken=$(cat "$users")
full=""
look_for_room() {
    # Free blocks and the size of one.
    set -- $(stat -f -c '%a %S' "$DATA" 2>/dev/null)
    if [ "$#" != 2 ]; then return 0; fi
    free=$(($1 * $2 / 1048576))
    if [ "$free" -lt 64 ]; then
        full=1
    elif [ -n "$full" ] && [ "$free" -ge 128 ]; then
        full=""
        echo "The volume was full and has $free MiB again: the server ends, to be started again."
        nats-server --signal "quit=$RUN/nats.pid" || true
    fi
}
follow() {
    while sleep "${FOLLOW_SECONDS:-5}"; do
        look_for_room
        found=$(cat "$users") || continue
        if [ "$found" = "$taken" ]; then continue; fi
        if nats-server --signal "reload=$RUN/nats.pid"; then taken=$found; fi
    done
}
follow &
exec nats-server --config "$CONFIGURATION/nats.conf"
"""

APPLY_STREAMS = f"""\
#!/bin/sh
# Makes every declared stream and changes those that differ. Removes none: what is declared no longer keeps its data.
set -eu
{READ_PASSWORDS}# A new pod is refused until the network has its rules, and by new servers until they have a leader.
tries=0
until nats stream ls --names >/dev/null 2>&1 || [ "$tries" -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
done
for file in "$CONFIGURATION"/*.json; do
    name=$(basename "$file" .json)
    if nats stream info "$name" --json >/dev/null 2>&1; then
        nats stream edit "$name" --config "$file" --force >/dev/null
    else
        nats stream add "$name" --config "$file" >/dev/null
    fi
    echo "stream $name is as declared"
done
"""
