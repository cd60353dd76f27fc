#!/usr/bin/env bash
# Starts a small database cluster on the loopback interface, to try Headwater on and to break.
#
#   scripts/cluster.sh galera start|stop|status|kill N|revive N [DIR]
#   scripts/cluster.sh postgres start|stop|status|kill primary|promote [DIR]
#
# galera     Three nodes of MariaDB with Galera, numbered 1 to 3. Each takes writes.
#              kill N      ends node N as a power cut would
#              revive N    starts it again, and waits until it has caught up
# postgres   A PostgreSQL primary and one replica that streams from it. A commit waits until the
#            replica has it on disk, so that none is lost when the primary is.
#              kill primary  ends the primary and all of its processes as a power cut would
#              promote       lets the replica take writes, without waiting for a replica of its own
#
# start      makes a new cluster, or finds it running; prints the store URLs
# stop       ends it and deletes its data; nothing to stop is no error
# status     prints a line per server; fails if one does not answer
#
# DIR is where the data goes: in the folder `galera` or `postgres` below it. Without DIR, start
# makes one with mktemp, and the other commands find it again by the port. The users mysql and
# postgres must be able to enter DIR.
#
# Users are root (Galera) and postgres, without password. In PostgreSQL, members of the role
# with_password, if somebody makes one, have to give theirs.
#
# Runs as root without systemd, as in a container, or as a user of one's own. As root it installs
# what is missing with apt-get. It leaves other servers of the machine alone.
#
# Environment:
#   GALERA_PORT          port of the first node, 23301; the other two have the next ones, and
#                        among themselves they use the ports from 10 to 32 above it
#   GALERA_ID_CONTROL    ON: the nodes give ids three apart, as clusters do. OFF: ids without gaps,
#                        which some tests of the store count on
#   POSTGRES_PORT        port of the primary, 23401; the replica has the next one
#   SYNCHRONOUS_COMMIT   what a commit waits for in PostgreSQL: `on`, or `remote_apply`, after which
#                        the replica shows what was written; `local` does not wait for the replica
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/client_env.sh
source "$here/client_env.sh"

nodes=(1 2 3)
galera_port=${GALERA_PORT:-23301}
primary_port=${POSTGRES_PORT:-23401}
replica_port=$((primary_port + 1))
ready_seconds_max=60
log_lines=30

usage() {
    sed -n 's/^#   \(scripts.*\)/usage: \1/p' "$here/cluster.sh" >&2
    exit 2
}

# Says what went wrong, with the end of the log that tells why.
fail_with_log() {
    local log=$1
    shift
    if [ -s "$log" ]; then
        printf '\n--- the end of %s\n' "$log" >&2
        tail -n "$log_lines" "$log" >&2
    fi
    fail "$@"
}

# Runs a program as the user that owns the data: databases refuse to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u "$owner" -- "$@"; else "$@"; fi
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

require_free_ports() {
    local port
    for port in "$@"; do
        if is_listening "$port"; then
            fail "port $port of 127.0.0.1 is in use" "choose others with $port_variable=..."
        fi
    done
}

# Installs packages unless a program of theirs is there. Servers that are there are neither
# restarted nor renewed.
install_unless() {
    local program=$1
    shift
    if [ -x "$program" ] || command -v "$program" >/dev/null; then return; fi
    if [ "$(id -u)" != 0 ]; then fail "$program is missing" "install: $*"; fi
    say "Installing $*" >&2
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get install --yes --quiet --no-upgrade --no-install-recommends "$@" >&2 ||
        { apt-get update --quiet >&2 && apt-get install --yes --quiet --no-upgrade \
            --no-install-recommends "$@" >&2; } ||
        fail "apt-get could not install $*"
}

# Where the data is. A cluster is found again by its port, in a file of the user's own.
find_folder() {
    local parent=$1
    if [ -z "$parent" ] && [ -O "$pointer" ]; then parent=$(cat "$pointer"); fi
    if [ -n "$parent" ]; then folder=$parent/$engine; fi
}

make_folder() {
    local parent=$1
    if [ -z "$parent" ]; then parent=$(mktemp -d "${TMPDIR:-/tmp}/headwater-cluster.XXXXXX"); fi
    folder=$parent/$engine
    if [ -e "$folder" ]; then
        fail "$folder is there already" "stop the cluster in it, or give another folder"
    fi
    if [ -z "$1" ]; then
        chmod 755 "$parent"
        touch "$parent/made-by-mktemp"
    fi
    mkdir -p "$folder"
    if [ "$(id -u)" = 0 ]; then chown "$owner" "$folder"; fi
    if ! as_owner test -w "$folder"; then
        rmdir "$folder"
        fail "the user $owner cannot enter $folder" "give another folder"
    fi
    rm -f "$pointer"
    dirname "$folder" >"$pointer"
}

delete_folder() {
    local parent
    parent=$(dirname "$folder")
    rm -rf "$folder"
    if [ -e "$parent/made-by-mktemp" ]; then rm -rf "$parent"; fi
    if [ -O "$pointer" ]; then rm -f "$pointer"; fi
}

require_cluster() {
    if [ -z "$folder" ] || [ ! -d "$folder" ]; then
        fail "there is no cluster" "start one: scripts/cluster.sh $engine start"
    fi
}

# Prints the process id in a file if that process still runs on our data: numbers are used again.
running() {
    local pid
    pid=$(head -n 1 "$1" 2>/dev/null) || return 1
    if [ -z "$pid" ] || ! tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$folder"; then
        return 1
    fi
    printf '%s' "$pid"
}

wait_until_gone() {
    local file=$1
    for ((tenths = 0; tenths < 100; tenths++)); do
        running "$file" >/dev/null || return 0
        sleep 0.1
    done
    fail "the process in $file does not end"
}

# Galera.

node_port() { printf '%s' $((galera_port + $1 - 1)); }

# The first of three ports that a node talks to others on.
group_port() { printf '%s' $((galera_port + 10 * $1)); }

ask_node() {
    mariadb --no-defaults --host=127.0.0.1 --port="$(node_port "$1")" --user=root \
        --connect-timeout=5 --batch --skip-column-names --execute="$2" 2>/dev/null
}

node_state() {
    ask_node "$1" "SHOW STATUS LIKE 'wsrep_local_state_comment'" | cut -f 2
}

write_node_config() {
    local group node_folder=$folder/n$1
    group=$(group_port "$1")
    cat <<CONFIG
[mysqld]
datadir=$node_folder/data
socket=$node_folder/socket
pid-file=$node_folder/mariadbd.pid
log-error=$node_folder/error.log
port=$(node_port "$1")
bind-address=127.0.0.1
max_connections=500
performance_schema=OFF
innodb_buffer_pool_size=128M
innodb_log_file_size=64M
innodb_autoinc_lock_mode=2
binlog_format=ROW
default_storage_engine=InnoDB
wsrep_on=ON
wsrep_provider=$provider
wsrep_cluster_name=headwater
wsrep_cluster_address=$cluster_address
wsrep_node_name=n$1
wsrep_node_address=127.0.0.1:$group
wsrep_provider_options=base_host=127.0.0.1;base_port=$group;\
gmcast.listen_addr=tcp://127.0.0.1:$group;ist.recv_addr=127.0.0.1:$((group + 1));gcache.size=64M
wsrep_auto_increment_control=${GALERA_ID_CONTROL:-ON}
wsrep_sst_method=rsync
wsrep_sst_receive_address=127.0.0.1:$((group + 2))
CONFIG
}

make_node() {
    local node_folder=$folder/n$1
    as_owner mkdir "$node_folder"
    write_node_config "$1" | as_owner tee "$node_folder/my.cnf" >/dev/null
    as_owner mariadb-install-db --no-defaults --datadir="$node_folder/data" --skip-test-db \
        --auth-root-authentication-method=normal >"$node_folder/install.log" 2>&1 ||
        fail_with_log "$node_folder/install.log" "the data of node $1 could not be made"
}

# Starts a node in a session of its own, so that its helpers end with it, and waits for it.
run_node() {
    local number=$1 node_folder=$folder/n$1 user=()
    shift
    if [ "$(id -u)" = 0 ]; then user=(--user="$owner"); fi
    setsid "$mariadbd" --defaults-file="$node_folder/my.cnf" ${user[@]+"${user[@]}"} "$@" \
        </dev/null >/dev/null 2>&1 &
    echo $! >"$node_folder/pid"
    for ((tenths = 0; tenths < 10 * ready_seconds_max; tenths++)); do
        if [ "$(node_state "$number" || true)" = Synced ]; then return; fi
        kill -0 "$(cat "$node_folder/pid")" 2>/dev/null || break
        sleep 0.1
    done
    fail_with_log "$node_folder/error.log" "node $number did not start"
}

require_galera() {
    install_unless mariadbd mariadb-server galera-4 rsync
    install_unless rsync rsync
    mariadbd=$(command -v mariadbd || echo /usr/sbin/mariadbd)
    provider=/usr/lib/galera/libgalera_smm.so
    if [ ! -e "$provider" ]; then install_unless "$provider" galera-4; fi
    cluster_address=gcomm://
    for number in "${nodes[@]}"; do
        cluster_address+=127.0.0.1:$(group_port "$number"),
    done
    cluster_address=${cluster_address%,}
}

galera_start() {
    if [ -n "$folder" ] && running "$folder/n1/pid" >/dev/null; then
        galera_urls
        return
    fi
    require_galera
    for number in "${nodes[@]}"; do
        local group
        group=$(group_port "$number")
        require_free_ports "$(node_port "$number")" "$group" $((group + 1)) $((group + 2))
    done
    make_folder "$1"
    trap galera_stop EXIT # unless all goes well
    for number in "${nodes[@]}"; do make_node "$number"; done
    run_node 1 --wsrep-new-cluster
    run_node 2
    run_node 3
    trap - EXIT
    galera_urls
}

galera_urls() {
    local hosts=
    for number in "${nodes[@]}"; do hosts+=127.0.0.1:$(node_port "$number"),; done
    printf 'data in %s\n' "$folder"
    printf 'mysql://root@%s/headwater\n' "${hosts%,}"
}

end_node() {
    local pid
    if pid=$(running "$folder/n$1/pid"); then
        kill -KILL -- "-$pid" 2>/dev/null || true # the whole session
        wait_until_gone "$folder/n$1/pid"
    fi
}

galera_stop() {
    if [ -z "$folder" ] || [ ! -d "$folder" ]; then return; fi
    for number in "${nodes[@]}"; do end_node "$number"; done
    delete_folder
}

galera_status() {
    local sound=0 state size
    require_cluster
    for number in "${nodes[@]}"; do
        state=$(node_state "$number" || true)
        size=$(ask_node "$number" "SHOW STATUS LIKE 'wsrep_cluster_size'" | cut -f 2 || true)
        printf 'n%s 127.0.0.1:%s %s, sees %s nodes\n' \
            "$number" "$(node_port "$number")" "${state:-down}" "${size:-no}"
        if [ "$state" != Synced ]; then sound=1; fi
    done
    return "$sound"
}

galera_kill() {
    require_cluster
    running "$folder/n$1/pid" >/dev/null || fail "node $1 does not run"
    end_node "$1"
}

galera_revive() {
    require_cluster
    require_galera
    if running "$folder/n$1/pid" >/dev/null; then fail "node $1 runs"; fi
    run_node "$1"
}

# PostgreSQL.

require_postgres() {
    local found=()
    shopt -s nullglob
    found=(/usr/lib/postgresql/*/bin/initdb)
    if [ ${#found[@]} = 0 ]; then
        install_unless /usr/lib/postgresql/initdb postgresql procps
        found=(/usr/lib/postgresql/*/bin/initdb)
    fi
    shopt -u nullglob
    programs=$(dirname "$(printf '%s\n' "${found[@]}" | sort -V | tail -n 1)")
}

port_of() { if [ "$1" = primary ]; then echo "$primary_port"; else echo "$replica_port"; fi; }

ask_server() {
    PGCONNECT_TIMEOUT=5 psql --no-psqlrc --host=127.0.0.1 --port="$(port_of "$1")" \
        --username=postgres --tuples-only --no-align --command="$2" 2>/dev/null
}

control() {
    local server=$1
    shift
    as_owner "$programs/pg_ctl" --pgdata="$folder/$server" --log="$folder/$server.log" \
        --timeout="$ready_seconds_max" --wait --silent "$@" </dev/null >/dev/null 2>&1 ||
        fail_with_log "$folder/$server.log" "the $server did not $*"
}

make_primary() {
    as_owner "$programs/initdb" --pgdata="$folder/primary" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C.UTF-8 >"$folder/initdb.log" 2>&1 ||
        fail_with_log "$folder/initdb.log" "the data of the primary could not be made"
    as_owner tee -a "$folder/primary/postgresql.conf" >/dev/null <<CONFIG
port = $primary_port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
synchronous_commit = ${SYNCHRONOUS_COMMIT:-on}
CONFIG
    as_owner tee "$folder/primary/pg_hba.conf" >/dev/null <<CONFIG
host all         +with_password 127.0.0.1/32 scram-sha-256
host all         all            127.0.0.1/32 trust
host replication postgres       127.0.0.1/32 trust
CONFIG
    control primary start
}

# The replica's settings are those of the primary, but that nobody has to wait for a replica of it.
make_replica() {
    as_owner "$programs/pg_basebackup" --pgdata="$folder/replica" --host=127.0.0.1 \
        --port="$primary_port" --username=postgres --write-recovery-conf --wal-method=stream \
        --create-slot --slot=replica --checkpoint=fast >"$folder/backup.log" 2>&1 ||
        fail_with_log "$folder/backup.log" "the primary could not be copied"
    as_owner sed -i "s/^port = .*/port = $replica_port/" "$folder/replica/postgresql.conf"
    control replica start
    echo "synchronous_standby_names = '*'" |
        as_owner tee -a "$folder/primary/postgresql.conf" >/dev/null
    control primary reload
}

wait_for_replica() {
    local sql="SELECT sync_state FROM pg_stat_replication"
    for ((tenths = 0; tenths < 10 * ready_seconds_max; tenths++)); do
        if [ "$(ask_server primary "$sql" || true)" = sync ]; then return; fi
        sleep 0.1
    done
    fail_with_log "$folder/replica.log" "the replica does not follow the primary"
}

postgres_start() {
    if [ -n "$folder" ] && running "$folder/primary/postmaster.pid" >/dev/null; then
        postgres_urls
        return
    fi
    require_postgres
    require_free_ports "$primary_port" "$replica_port"
    make_folder "$1"
    trap postgres_stop EXIT # unless all goes well
    make_primary
    make_replica
    wait_for_replica
    trap - EXIT
    postgres_urls
}

postgres_urls() {
    local first=127.0.0.1:$primary_port second=127.0.0.1:$replica_port
    printf 'data in %s\n' "$folder"
    printf 'postgres://postgres@%s,%s/headwater\n' "$first" "$second"
    printf 'postgres://postgres@%s/headwater?read_replica=%s\n' "$first" "$second"
}

# Ends a server with all its processes at once. While it is stopped it starts no new ones.
end_server() {
    local pid children=()
    pid=$(running "$folder/$1/postmaster.pid") || return 0
    kill -STOP "$pid"
    mapfile -t children < <(pgrep -P "$pid" || true)
    kill -KILL "$pid" ${children[@]+"${children[@]}"} 2>/dev/null || true
    wait_until_gone "$folder/$1/postmaster.pid"
}

postgres_stop() {
    if [ -z "$folder" ] || [ ! -d "$folder" ]; then return; fi
    end_server replica
    end_server primary
    delete_folder
}

postgres_status() {
    local sound=0 state
    local following="SELECT state || ', ' || sync_state FROM pg_stat_replication"
    require_cluster
    for server in primary replica; do
        state=$(ask_server "$server" \
            "SELECT CASE WHEN pg_is_in_recovery() THEN 'reads only' ELSE 'reads and writes' END" ||
            true)
        printf '%s 127.0.0.1:%s %s\n' "$server" "$(port_of "$server")" "${state:-down}"
        if [ -z "$state" ]; then sound=1; fi
    done
    state=$(ask_server primary "$following" || true)
    printf 'replication %s\n' "${state:-none}"
    return "$sound"
}

postgres_kill() {
    require_cluster
    running "$folder/primary/postmaster.pid" >/dev/null || fail "the primary does not run"
    end_server primary
}

postgres_promote() {
    require_cluster
    require_postgres
    if [ "$(ask_server replica "SELECT pg_is_in_recovery()" || true)" = f ]; then
        fail "the replica is the primary already"
    fi
    control replica promote
}

engine=${1:-} command=${2:-}
folder=
owner=
if [ $# -ge 2 ]; then shift 2; fi
case $engine in
galera) owner=mysql port_variable=GALERA_PORT pointer=$galera_port ;;
postgres) owner=postgres port_variable=POSTGRES_PORT pointer=$primary_port ;;
*) usage ;;
esac
pointer=${TMPDIR:-/tmp}/headwater-cluster-$engine-$pointer-$(id -u)

argument=
case $engine-$command in
galera-start | galera-stop | galera-status) ;;
postgres-start | postgres-stop | postgres-status | postgres-promote) ;;
galera-kill | galera-revive)
    argument=${1:-}
    if [[ ! $argument =~ ^[123]$ ]]; then usage; fi
    shift
    ;;
postgres-kill)
    if [ "${1:-}" != primary ]; then usage; fi
    shift
    ;;
*) usage ;;
esac
if [ $# -gt 1 ]; then usage; fi
given=${1:+$(realpath -m "$1")}
cd / # the databases' users may not enter the folder of the caller
find_folder "$given"
case $command in
start) "${engine}_start" "$given" ;;
*) "${engine}_$command" ${argument:+"$argument"} ;;
esac
