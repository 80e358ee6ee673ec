#!/usr/bin/env bash
# A private SLURM cluster of this one machine: for trying docs/cluster.md and for tests/slurm.
#
#   tools/slurm/start.sh /tmp/slurm      # some 5 seconds; does nothing when that cluster is up already
#   source /tmp/slurm/env.sh             # from now on sbatch, squeue, sacct and train.py talk to it
#   tools/slurm/stop.sh /tmp/slurm
#
# All of it (munge, slurmctld, slurmd, and slurmdbd with MariaDB, so that sacct answers) are ordinary processes of
# whoever calls this, without systemd; all files are in that folder. Debian 12:
#   apt-get install -y --no-install-recommends slurm-wlm munge slurmdbd slurm-wlm-mysql-plugin \
#     mariadb-server-core mariadb-client-core
set -euo pipefail

dir=${1:?usage: start.sh FOLDER}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export SLURM_CONF=$dir/slurm.conf PATH=$PATH:/usr/sbin:/sbin

fail() { echo "$*" >&2; exit 1; }

[ ${#dir} -le 85 ] || fail "$dir is too long a name: sockets in it end at 107 characters. Choose a shorter one."
for program in munged slurmctld slurmd sbatch slurmdbd mariadbd mariadb-install-db python3; do
  command -v $program >/dev/null || fail "$program is missing. The head of ${BASH_SOURCE[0]} says what to install."
done

node_is_up() { [ -s "$SLURM_CONF" ] && timeout 5 sinfo -h -o %T 2>/dev/null | grep -qE '^(idle|mixed|alloc|compl)'; }

exec 9>"$dir/.lock"
flock 9
if [ -s "$dir/pids" ] && node_is_up; then
  echo "Up already: source $dir/env.sh"
  exit 0
fi
"$here/stop.sh" "$dir" >/dev/null 2>&1 || true
rm -rf "$dir"/{state,spool,db,log}
mkdir -p "$dir"/{munge,state,spool,log,db}
chmod 700 "$dir/state" "$dir/db"
chmod 755 "$dir" "$dir/munge" "$dir/spool" "$dir/log"
: >"$dir/pids"

start() {  # NAME COMMAND...: a daemon in a session of its own; its pid is all that stop.sh needs
  local name=$1
  shift
  setsid "$@" </dev/null >"$dir/log/$name.out" 2>&1 9>&- &
  echo "$name $!" >>"$dir/pids"
}

await() {  # NAME COMMAND...: until the command succeeds
  local name=$1
  shift
  for _ in $(seq 200); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  tail -n 20 "$dir"/log/*.out >&2
  "$here/stop.sh" "$dir"
  fail "$name did not come up in 20 seconds; its log is above."
}

me=$(id -un)
host=$(hostname -s)
cpus=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)  # which these would lower
memory=$(($(awk '/MemTotal/{print $2}' /proc/meminfo) / 1024 * 9 / 10))
read -r port_ctld port_d port_dbd port_db < <(python3 -c 'import socket
sockets = [socket.socket() for _ in range(4)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')

# --- munge: who is who -------------------------------------------------------------------------------------------
if [ ! -s "$dir/munge/key" ]; then
  (umask 077 && dd if=/dev/urandom of="$dir/munge/key" bs=128 count=1 status=none)
fi
start munged munged --force --foreground --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
  --pid-file="$dir/munge/pid" --seed-file="$dir/munge/seed" --log-file="$dir/log/munged.log"

# --- MariaDB and slurmdbd: what sacct knows -------------------------------------------------------------------------
# A tmpdir of its own: two that begin in the same moment would take each other's temporary tables in /tmp.
mkdir "$dir/db/tmp"
mariadb-install-db --no-defaults --datadir="$dir/db/data" --tmpdir="$dir/db/tmp" --user="$me" --skip-test-db \
  --auth-root-authentication-method=normal --innodb-log-file-size=8M --debug-no-sync >"$dir/log/install.out" 2>&1 ||
  { cat "$dir/log/install.out" >&2; "$here/stop.sh" "$dir"; fail "MariaDB's tables could not be made; see above."; }
start mariadbd mariadbd --no-defaults --datadir="$dir/db/data" --tmpdir="$dir/db/tmp" --user="$me" --bind-address=127.0.0.1 \
  --port="$port_db" --socket="$dir/db/socket" --pid-file="$dir/db/pid" --skip-log-bin --skip-name-resolve \
  --innodb-buffer-pool-size=64M --innodb-log-file-size=8M --innodb-lock-wait-timeout=900 --debug-no-sync
password=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
(umask 077 && cat >"$dir/slurmdbd.conf") <<CONF
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$port_dbd
SlurmUser=$me
PidFile=$dir/slurmdbd.pid
LogFile=$dir/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$port_db
StorageUser=slurm
StoragePass=$password
StorageLoc=slurm_acct_db
CONF

# --- SLURM itself -------------------------------------------------------------------------------------------------
# cred_expire: a requeued job waits for its credential to expire, two minutes by default.
# Two partitions: jobs of `high` preempt those of `debug`, which get SIGUSR2 and ten seconds.
cat >"$SLURM_CONF" <<CONF
ClusterName=onenode
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port_ctld
SlurmdPort=$port_d
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$port_dbd
AccountingStoragePass=$dir/munge/socket
AccountingStorageTRES=gres/gpu
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
JobRequeue=1
ReturnToService=2
KillWait=5
OverTimeLimit=0
MinJobAge=600
SlurmctldTimeout=30
SlurmdTimeout=30
UnkillableStepTimeout=10
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:2 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes=$host MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
# GPUs in name only, so that jobs may ask for them: two character devices stand for them, torch sees none.
printf 'NodeName=%s Name=gpu File=%s\n' "$host" /dev/null "$host" /dev/zero >"$dir/gres.conf"

sql() { mariadb --no-defaults -S "$dir/db/socket" -uroot "$@"; }
await munged munge -S "$dir/munge/socket" -n
await mariadbd sql -e "select 1"
sql <<SQL
CREATE USER slurm@'127.0.0.1' IDENTIFIED BY '$password';
GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';
DROP USER IF EXISTS ''@'$host', ''@'localhost', root@'127.0.0.1', root@'::1', root@'$host';
SET PASSWORD FOR root@localhost = PASSWORD('$password');
SQL
start slurmdbd slurmdbd -D
await slurmdbd sacctmgr -n list cluster
start slurmctld slurmctld -D -c -f "$SLURM_CONF"
start slurmd slurmd -D -c -f "$SLURM_CONF"
echo "export SLURM_CONF=$SLURM_CONF" >"$dir/env.sh"
await "the node" node_is_up
registered() { sacctmgr -n list cluster format=controlhost%20 | grep -q 127; }
await "the cluster in slurmdbd" registered
echo "Up: source $dir/env.sh"
