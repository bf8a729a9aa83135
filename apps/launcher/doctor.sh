# doctor.sh: what this machine offers to UPA, and what each missing thing costs. Sourced by ./upa; builds nothing.

# row NAME VALUE; cost TEXT...: what the row above takes from the user
row() { printf '%-22s %s\n' "$1" "$2"; }
cost() { printf '%-22s   -> %s\n' '' "$*"; }
head_of() { [[ -r $1 ]] && head -n 1 "$1" || echo unknown; }
selected() {
  local text
  text=$(head_of "$1")
  [[ $text =~ \[([^]]+)\] ]] && echo "${BASH_REMATCH[1]}" || echo unknown
}
meminfo() { awk -v key="$1:" '$1 == key { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo; }

doctor() {
  machine
  echo
  memory_policy
  echo
  paging
  echo
  limits
  echo
  tools
}

machine() {
  row kernel "$(uname -sr), $(uname -m)"
  row system "$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-unknown}" || echo unknown)"
  libc
  row CPUs "$(nproc), $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
  [[ $(nproc) -gt 1 ]] || cost "no second CPU: the two-thread experiments measure time slicing, not sharing"
  row memory "$(meminfo MemTotal), $(meminfo MemAvailable) available, swap $(meminfo SwapTotal)"
  [[ $(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) -ge 6291456 ]] ||
    cost "under 6 GiB available: ./upa bench --full, which keeps blocks of 1 GiB alive, may refuse to run"
  if grep -qm1 '^flags.* hypervisor' /proc/cpuinfo; then
    row "virtual machine" "yes"
    if free_page_reporting; then
      row "free page reporting" "on"
      cost "the host takes freed memory back; its next first touch costs 5-7 us a page instead of about 1.3:" \
        "measure with memory kept warm"
    else
      row "free page reporting" "off"
    fi
  else
    row "virtual machine" "no"
  fi
  if [[ -r /dev/kvm && -w /dev/kvm ]]; then
    row KVM "yes"
  else
    row KVM "no"
    cost "kernel module tests run in an emulated machine: the same results, more slowly"
  fi
}

# What ./upa run --policy and ./upa bench --experiment paging need.
paging() {
  local swaps
  if is_older "$(uname -r)" 6 8; then
    row paging "no: kernel $(uname -r)"
    cost "./upa run --policy needs Linux 6.8, which moves pages between addresses"
  elif ! can_trace; then
    row paging "no: CAP_SYS_PTRACE is missing"
    cost "./upa run --policy needs it (root has it): without, userfaultfd tells neither of forks nor of kernel faults"
  else
    row paging "yes: ./upa run --policy holds programs within a bound"
  fi
  swaps=$(awk 'NR > 1 { list = list (NR > 2 ? ", " : "") $1 } END { print list }' /proc/swaps)
  row swap "${swaps:-none}"
  [[ $swaps == /dev/zram* ]] ||
    cost "./upa bench --experiment paging leaves zram out: it is measured where there is swap on zram alone"
  row "far memory" "$(far_nodes /sys/devices/system/node)"
  if compgen -G '/sys/fs/cgroup/memory/cgroup.procs' >/dev/null ||
    grep -qsw memory /sys/fs/cgroup/cgroup.controllers; then
    row "memory cgroup" "yes"
  else
    row "memory cgroup" "no"
    cost "./upa bench --experiment paging cannot bound the kernel's own ways"
  fi
  row zswap "$(head_of /sys/module/zswap/parameters/enabled)"
}

# Other NUMA nodes, to which ./upa run --policy --store numa:NODE may move what is cold.
far_nodes() { # FOLDER
  local folder=$1 node number bytes cpus list='' count=0 bare=''
  for node in "$folder"/node[0-9]*; do
    bytes=$(awk '$3 == "MemTotal:" { print $4 }' "$node/meminfo" 2>/dev/null) || continue
    ((${bytes:-0} > 0)) || continue
    number=${node##*/node} cpus=$(<"$node/cpulist")
    list+="${list:+, }$number ($((bytes >> 10))M, $([[ -n $cpus ]] && echo "CPUs $cpus" || echo 'without CPUs'))"
    [[ -n $cpus ]] || bare+="${bare:+ or }--store numa:$number"
    count=$((count + 1))
  done
  if ((count < 2)); then
    echo "no: one NUMA node"
  else
    echo "NUMA nodes $list${bare:+: $bare}"
  fi
}

# is_older RELEASE MAJOR MINOR
is_older() {
  local major=${1%%.*} rest=${1#*.}
  local minor=${rest%%[!0-9]*}
  ((major < $2 || (major == $2 && minor < $3)))
}

# CAP_SYS_PTRACE is the 19th.
can_trace() {
  local effective
  effective=$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)
  (((16#$effective >> 19) & 1))
}

# Which it is, and what becomes of malloc's calls in it, which no symbol reaches.
libc() {
  local name said library="$root/build/release/lib/libupa_mmap.so"
  name=$(getconf GNU_LIBC_VERSION 2>/dev/null) ||
    name=$(compgen -G '/lib/ld-musl-*' >/dev/null && echo musl) || name=unknown
  row libc "$name"
  if [[ ! -e $library ]]; then
    cost "whether its own calls of mmap and brk can come to UPA is not known before ./upa build"
    return
  fi
  said=$(env -u UPA_OFF UPA_LAUNCHED=0 UPA_TRACE='' UPA_STATS=0 LD_PRELOAD="$library" /bin/true 2>&1) || true
  case $said in
    '') row "  its own calls" "of mmap and brk come to UPA" ;;
    *'comes from UPA'*)
      row "  its own calls" "stay with the kernel"
      cost "${said##*comes from UPA: }; ./upa run serves malloc's blocks of 128 KiB and more all the same"
      ;;
    *) row "  its own calls" "unknown: ${said%%$'\n'*}" ;;
  esac
}

# Feature bit 5 of a virtio balloon.
free_page_reporting() { grep -qsE '^.{5}1' /sys/bus/virtio/drivers/virtio_balloon/virtio*/features; }

memory_policy() {
  local thp overcommit
  thp=$(selected /sys/kernel/mm/transparent_hugepage/enabled)
  row "huge pages (THP)" "enabled=$thp defrag=$(selected /sys/kernel/mm/transparent_hugepage/defrag)"
  case $thp in
    never | unknown) cost "huge-page options have no effect: every first touch is a 4 KiB fault" ;;
    always)
      cost "the kernel's own mmap gets huge pages unasked:" \
        "figures are not comparable with a machine on madvise"
      ;;
  esac
  overcommit=$(head_of /proc/sys/vm/overcommit_memory)
  row overcommit "mode $overcommit"
  [[ $overcommit != 2 ]] || cost "a region may be no larger than the commit limit: set UPA_REGION_BYTES"
}

limits() {
  local maps scope=none
  row "address space limit" "$(ulimit -v) (ulimit -v, KiB)"
  [[ $(ulimit -v) == unlimited ]] || cost "a region is limited by it: set UPA_REGION_BYTES"
  row "locked memory limit" "$(ulimit -l) (ulimit -l, KiB)"
  maps=$(head_of /proc/sys/vm/max_map_count)
  [[ ! -e /proc/sys/kernel/yama ]] || scope=$(head_of /proc/sys/kernel/yama/ptrace_scope)
  row "reading processes" "kernel.yama.ptrace_scope=$scope"
  [[ $scope == none || $scope == 0 ]] || cost "./upa top needs root, even for programs of your own"
  row "mappings per process" "$maps (vm.max_map_count)"
  [[ $maps == unknown || $maps -ge 65530 ]] ||
    cost "partial unmaps and protections of many ranges fail with ENOMEM sooner"
}

tools() {
  local jdk absent
  jdk=$(find_jdk)
  if [[ -n $jdk ]]; then
    row JDK "$(jdk_version "$jdk") in $jdk"
  else
    row JDK "none of version $java_needed or newer"
    cost "nothing in Java builds, ./upa bench included;" \
      "looked in JAVA_HOME, PATH, /usr/lib/jvm, /opt, ~/.sdkman, ~/.jdks"
  fi
  mapfile -t absent < <(missing "${c_packages[@]}" "${java_packages[@]}")
  row "build packages" "${absent[*]:-all there}"
  [[ ${#absent[@]} -eq 0 ]] ||
    cost "missing, nothing builds; ./upa installs them if it may: apt-get install ${absent[*]}"
  mapfile -t absent < <(missing "${peers[@]}")
  row "allocators to compare" "${absent[*]:-all there}"
  [[ ${#absent[@]} -eq 0 ]] || cost "missing, left out of the comparison: apt-get install ${absent[*]}"
  perf_sees_the_kernel
}

# What ./upa apps finds the kernel's share of a program's time with.
perf_sees_the_kernel() {
  local paranoid restrict no_share="./upa apps reports no share of the kernel in a program's time:"
  paranoid=$(head_of /proc/sys/kernel/perf_event_paranoid)
  restrict=$(head_of /proc/sys/kernel/kptr_restrict)
  if ! command -v perf >/dev/null; then
    row perf "not installed"
    cost "$no_share apt-get install linux-perf"
  elif ! perf record -q -o /dev/null -e cpu-clock -- true >/dev/null 2>&1; then
    row perf "cannot record (kernel.perf_event_paranoid=$paranoid)"
    cost "$no_share run it as root, or sysctl kernel.perf_event_paranoid=1"
  elif [[ $(id -u) -ne 0 && ($paranoid -gt 1 || $restrict -ne 0) || $restrict -gt 1 ]]; then
    row perf "records, but not the kernel (kernel.perf_event_paranoid=$paranoid, kernel.kptr_restrict=$restrict)"
    cost "$no_share sysctl kernel.perf_event_paranoid=1 kernel.kptr_restrict=0"
  else
    row perf "records the kernel too"
  fi
}
