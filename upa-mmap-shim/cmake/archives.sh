# archives.sh: packages of other Debian and Ubuntu releases than this machine's, through an apt state of our own:
# neither root nor a change of the machine's package sources is needed. Sourced, never run.
#
# Where the archives are: UPA_DEBIAN_ARCHIVE and UPA_UBUNTU_ARCHIVE, else where this machine's own packages come from,
# else where debootstrap would look. Every package is verified by the archive's keys: the other distribution's keys come
# out of a package of this one. With archive_pinned=1 an archive without keys will do: for what is checked by a hash of
# our own.

# archive_fail TEXT: sets $archive_error, which says why a function below returned 1
archive_fail() { archive_error=$*; return 1; }

# archive_known DISTRIBUTION SUITE: where apt knows it from; any suite of the distribution if not this one
archive_known() {
  apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 2>/dev/null |
    awk -v origin="$1" -v suite="$2" 'tolower($1) == origin && $2 !~ /security|updates|backports/ && $3 !~ /security/ {
      if (!any) any = $3; if ($2 == suite) { print $3; found = 1; exit } } END { if (!found && any) print any }'
}

# archive_of DISTRIBUTION SUITE DIRECTORY: prints the archive's address
archive_of() {
  local set=UPA_${1^^}_ARCHIVE uri script variable
  uri=${!set:-$(archive_known "$1" "$2")}
  if [[ -z $uri ]]; then
    # debootstrap's own, which is fetched from the other distribution, and not installed.
    [[ $1 == ubuntu ]] && script=gutsy variable=default_mirror || script=../../../sbin/debootstrap variable=DEF_MIRROR=
    if ! [[ -e /usr/share/debootstrap/scripts/$script ]]; then
      [[ -e $3/debootstrap/usr/share/debootstrap/scripts ]] || {
        mkdir -p "$3/debootstrap" && (cd "$3/debootstrap" &&
          apt-get -qq download debootstrap && dpkg-deb -x debootstrap_*.deb .) >&2 || return 1
      }
      script=$3/debootstrap/usr/share/debootstrap/scripts/$script
    else
      script=/usr/share/debootstrap/scripts/$script
    fi
    uri=$(grep -oE "$variable *\"?http[^\" ]*" "$script" | grep -v -e old-releases -e ports |
      head -n 1 | grep -oE 'http.*')
  fi
  [[ -n $uri ]] && echo "${uri%/}"
}

# archive_key DISTRIBUTION DIRECTORY: prints the file of its keys
archive_key() {
  local name=$1-archive-keyring.gpg packages=$2/keys-of-$1
  if [[ -e /usr/share/keyrings/$name ]]; then
    echo "/usr/share/keyrings/$name"
    return
  fi
  # A package of the other distribution, verified by the keys that this machine has.
  if [[ ! -e $packages/usr/share/keyrings/$name ]]; then
    if [[ $1 == ubuntu && -e /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
      archive_open debian trixie "$2" amd64 && archive_unpack "$packages" ubuntu-keyring || return 1
    elif [[ $1 == debian && -e /usr/share/keyrings/ubuntu-archive-keyring.gpg ]]; then
      archive_open ubuntu noble "$2" amd64 && archive_unpack "$packages" debian-archive-keyring || return 1
    else
      return 1
    fi
  fi
  echo "$packages/usr/share/keyrings/$name"
}

# archive_open DISTRIBUTION SUITE DIRECTORY ARCHITECTURE [deb-src]: makes apt's state for the suite's packages, or their
# sources, in DIRECTORY, afresh if it is older than a day, and sets $archive_apt to the options with which apt-get uses
# it
archive_open() {
  local distribution=$1 suite=$2 state=$3/$1-$2-$4 architecture=$4 type=${5:-deb} uri keys components=main
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { archive_fail "no apt-get here"; return 1; }
  [[ $type == deb ]] || state+=-sources
  mkdir -p "$state"/{lists/partial,archives/partial}
  state=$(cd "$state" && pwd)
  uri=$(archive_of "$distribution" "$suite" "$3") || { archive_fail "no archive of $distribution is known"; return 1; }
  if keys=$(archive_key "$distribution" "$3"); then
    keys=signed-by=$(readlink -f "$keys")
  elif [[ -n ${archive_pinned:-} ]]; then
    keys=trusted=yes
  else
    archive_fail "the keys of $distribution are not to be had"
    return 1
  fi
  [[ $distribution == debian ]] || components="main universe"
  echo "$type [arch=$architecture $keys] $uri $suite $components" >"$state/sources.list"
  archive_apt=(-qq -o "Dir::Etc::SourceList=$state/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
    -o "Dir::State=$state" -o "Dir::State::Lists=$state/lists" -o Dir::State::Status=/dev/null -o "Dir::Cache=$state"
    -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture"
    -o Acquire::Languages=none -o APT::Sandbox::User=root -o Acquire::Retries=2
    -o APT::Update::Error-Mode=any -o APT::Update::Post-Invoke-Success::= -o APT::Update::Post-Invoke::=)
  if [[ -z $(find "$state/done" -mtime -1 2>/dev/null) ]]; then
    apt-get "${archive_apt[@]}" update >&2 ||
      { archive_fail "the package lists of $distribution $suite are not to be had"; return 1; }
    touch "$state/done"
  fi
}

# archive_unpack DIRECTORY PACKAGE...: downloads packages of the suite that archive_open made ready, and unpacks them
# there, afresh
archive_unpack() {
  local directory=$1 package
  shift
  rm -rf "$directory"
  mkdir -p "$directory.part/debs"
  (cd "$directory.part/debs" && apt-get "${archive_apt[@]}" download "$@" >&2) ||
    { archive_fail "package $* is not to be had"; return 1; }
  for package in "$directory".part/debs/*.deb; do
    dpkg-deb -x "$package" "$directory.part" || return 1
  done
  rm -r "$directory.part/debs"
  mv "$directory.part" "$directory"
}
