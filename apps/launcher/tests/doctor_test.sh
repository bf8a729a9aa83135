#!/usr/bin/env bash
# doctor_test.sh UPA: ./upa doctor comes to its end, and says of each subject something, whatever the machine lacks.
set -euo pipefail
upa=$1
failed=0
said=$("$upa" doctor 2>&1) || { echo "FAILED: status=$?: $said"; exit 1; }
for subject in kernel memory overcommit paging swap 'far memory' 'memory cgroup' zswap; do
  grep -qE "^$subject +[^ ]" <<<"$said" || { echo "FAILED: nothing of $subject: $said"; failed=1; }
done
# shellcheck source=apps/launcher/doctor.sh
source "${upa%/*}/apps/launcher/doctor.sh"
# Two nodes, one of which has no processors, and one that has no memory.
nodes=$(mktemp -d)
trap 'rm -rf "$nodes"' EXIT
node() { # NUMBER KIB CPUS
  mkdir "$nodes/node$1"
  echo "Node $1 MemTotal:  $2 kB" >"$nodes/node$1/meminfo"
  echo "$3" >"$nodes/node$1/cpulist"
}
node 0 1048576 0-1
[[ $(far_nodes "$nodes") == 'no: one NUMA node' ]] || { echo "FAILED: one node: $(far_nodes "$nodes")"; failed=1; }
node 1 262144 ''
node 2 0 2
[[ $(far_nodes "$nodes") == 'NUMA nodes 0 (1024M, CPUs 0-1), 1 (256M, without CPUs): --store numa:1' ]] ||
  { echo "FAILED: two nodes: $(far_nodes "$nodes")"; failed=1; }
for release in 5.10 6.7.9-generic; do
  is_older "$release" 6 8 || { echo "FAILED: $release is not older than 6.8"; failed=1; }
done
for release in 6.8.0-rc1 6.18.44 7.0-x; do
  ! is_older "$release" 6 8 || { echo "FAILED: $release is older than 6.8"; failed=1; }
done
exit "$failed"
