#!/usr/bin/env bash
# doctor_test.sh UPA: ./upa doctor comes to its end, and says of each subject something, whatever the machine lacks.
set -euo pipefail
upa=$1
failed=0
said=$("$upa" doctor 2>&1) || { echo "FAILED: status=$?: $said"; exit 1; }
for subject in kernel memory overcommit paging swap 'memory cgroup' zswap; do
  grep -qE "^$subject +[^ ]" <<<"$said" || { echo "FAILED: nothing of $subject: $said"; failed=1; }
done
# shellcheck source=apps/launcher/doctor.sh
source "${upa%/*}/apps/launcher/doctor.sh"
for release in 5.10 6.7.9-generic; do
  is_older "$release" 6 8 || { echo "FAILED: $release is not older than 6.8"; failed=1; }
done
for release in 6.8.0-rc1 6.18.44 7.0-x; do
  ! is_older "$release" 6 8 || { echo "FAILED: $release is older than 6.8"; failed=1; }
done
exit "$failed"
