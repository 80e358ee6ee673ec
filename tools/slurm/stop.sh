#!/usr/bin/env bash
# Stop the cluster that start.sh made in a folder: its jobs, then the processes whose ids it wrote there, no others.
set -uo pipefail

dir=${1:?usage: stop.sh FOLDER}
[ -s "$dir/pids" ] || exit 0
dir=$(cd "$dir" && pwd -P)
export SLURM_CONF=$dir/slurm.conf

# The id may belong to someone else by now; a process that has ended but was not waited for has no command line.
runs() { grep -qa "$1" "/proc/$2/cmdline" 2>/dev/null; }

if timeout 3 scontrol ping >/dev/null 2>&1; then  # jobs outlive slurmd
  timeout 5 scancel --user="$(id -un)" >/dev/null 2>&1
  for _ in $(seq 40); do
    [ -z "$(timeout 3 squeue -h 2>/dev/null)" ] && break
    sleep 0.25
  done
fi
while read -r name pid; do
  runs "$name" "$pid" || continue
  kill -TERM "$pid" 2>/dev/null
  for try in $(seq 100); do
    runs "$name" "$pid" || break
    [ "$try" = 60 ] && kill -KILL "$pid" 2>/dev/null
    sleep 0.1
  done
done < <(tac "$dir/pids")  # in reverse order of starting
rm -f "$dir/pids"
