#!/usr/bin/env bash
# Installs the programs, their manual pages, completion for bash and zsh, systemd units, and the sample schema.
#
#     utilities/install.sh                          # builds a release, installs below /usr/local
#     PREFIX=/usr utilities/install.sh --replace    # in the place of Open vSwitch's programs
#     DESTDIR=/tmp/image utilities/install.sh       # below another root, for packages
#
# A file that another package owns, or that is there and is not one of ours, is not replaced without --replace: Open vSwitch's programs
# have the same names. --from DIRECTORY takes the programs from there instead of building them. --uninstall removes what an installation
# with the same PREFIX and DESTDIR put in place, and the directories that it made.
set -euo pipefail
. "$(dirname "$0")/common.sh"

prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
replace= from= uninstall=

usage() {
  sed -n '2,/^set /p' "$0" | sed '/^set /d; s/^# \{0,1\}//'
}

while [ $# -gt 0 ]; do
  case $1 in
    --replace) replace=yes ;;
    --from) from=${2:?--from needs a directory}; shift ;;
    --uninstall) uninstall=yes ;;
    -h | --help) usage; exit ;;
    *) echo "$0: unknown argument '$1'; --help tells what there is" >&2; exit 2 ;;
  esac
  shift
done
case $prefix in /*) ;; *) echo "$0: PREFIX must be an absolute path, not '$prefix'" >&2; exit 2 ;; esac
# As paths are compared and the work is done in another directory: absolute, each slash once.
absolute() { realpath --canonicalize-missing --no-symlinks -- "$1"; }
prefix=$(absolute "$prefix")
prefix=${prefix%/}
if [ -n "$root" ]; then root=$(absolute "$root"); fi
if [ -n "$from" ]; then from=$(absolute "$from"); fi

# Where a program goes: ovsdb-server is a daemon.
directory_of() {
  case $1 in ovsdb-server) echo "$prefix/sbin" ;; *) echo "$prefix/bin" ;; esac
}

list=$prefix/share/swift-ovsdb/installed
programs=(ovsdb-server ovsdb-client ovsdb-tool ovs-appctl ovsdb-bench)

if [ -n "$uninstall" ]; then
  [ -f "$root$list" ] || { echo "$0: nothing is installed: no $root$list" >&2; exit 1; }
  mapfile -t entries <"$root$list"
  rm -f -- "$root$list"
  # Directories that the installation made are listed with a slash, parents first. They stay when others have put something there.
  for ((index = ${#entries[@]} - 1; index >= 0; index--)); do
    case ${entries[index]} in
      */) [ ! -d "$root${entries[index]}" ] || rmdir --ignore-fail-on-non-empty -- "$root${entries[index]%/}" ;;
      *) rm -f -- "$root${entries[index]}" ;;
    esac
  done
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$top"
if [ -z "$from" ]; then
  need_swift
  need_packages libjansson-dev pkg-config
  for program in "${programs[@]}"; do swift build -c release --product "$program"; done
  from=$(swift build -c release --show-bin-path)
fi
utilities/build-manuals.sh "$work/man"

# What goes where: source, place, mode.
sources=() places=() modes=()
plan() {
  sources+=("$1")
  places+=("$2")
  modes+=("$3")
}
for program in "${programs[@]}"; do
  [ -x "$from/$program" ] || { echo "$0: $from/$program is missing" >&2; exit 1; }
  plan "$from/$program" "$(directory_of "$program")/$program" 755
done
for page in "$work"/man/*; do plan "$page" "$prefix/share/man/man${page##*.}/${page##*/}" 644; done
# bash-completion looks for a file with the name of the program.
for program in ovsdb-server ovsdb-client ovsdb-tool ovs-appctl; do
  plan utilities/completion/ovsdb-tools.bash "$prefix/share/bash-completion/completions/$program" 644
done
plan utilities/completion/_ovsdb "$prefix/share/zsh/site-functions/_ovsdb" 644
for schema in schemas/*.ovsschema; do plan "$schema" "$prefix/share/swift-ovsdb/${schema##*/}" 644; done
for unit in utilities/systemd/*; do
  # The units and their scripts name the programs where they are installed.
  text=$(<"$unit")
  text=${text//\/usr\/lib\/swift-ovsdb/"$prefix/lib/swift-ovsdb"}
  for program in "${programs[@]}"; do
    text=${text//\/usr\/sbin\/"$program"/"$(directory_of "$program")/$program"}
    text=${text//\/usr\/bin\/"$program"/"$(directory_of "$program")/$program"}
  done
  printf '%s\n' "$text" >"$work/${unit##*/}"
  case $unit in
    *.service | *.socket) plan "$work/${unit##*/}" "$prefix/lib/systemd/system/${unit##*/}" 644 ;;
    *) plan "$work/${unit##*/}" "$prefix/lib/swift-ovsdb/${unit##*/}" 755 ;;
  esac
done

# Whether a file that is there is ours.
is_ours() { [ -f "$root$list" ] && grep -qxF -- "$1" "$root$list"; }

if [ -z "$replace" ]; then
  foreign=()
  for place in "${places[@]}"; do
    if [ -e "$root$place" ] && ! is_ours "$place"; then foreign+=("$root$place"); fi
  done
  if [ ${#foreign[@]} -gt 0 ]; then
    {
      echo "$0: these files are there and not ours:"
      printf '  %s\n' "${foreign[@]}"
      echo "nothing was installed; --replace replaces them, PREFIX=... installs elsewhere"
    } >&2
    exit 1
  fi
fi

# Makes a directory below the root and its parents, and notes those that were not there.
directories=()
make_directory() {
  [ -n "$1" ] && [ ! -d "$root$1" ] || return 0
  make_directory "${1%/*}"
  mkdir -- "$root$1"
  directories+=("$1/")
}

mkdir -p -- "$root/"
# What an earlier installation made is still ours.
if [ -f "$root$list" ]; then mapfile -t directories < <(grep '/$' "$root$list"); fi
installed=()
for index in "${!places[@]}"; do
  place=${places[index]}
  make_directory "${place%/*}"
  # Under another name first: a program that runs keeps its old file.
  install -m "${modes[index]}" "${sources[index]}" "$root$place.new"
  mv -f "$root$place.new" "$root$place"
  installed+=("$place")
done
printf '%s\n' "${directories[@]}" "${installed[@]}" | sed '/^$/d' >"$root$list"
echo "installed ${#installed[@]} files below $root$prefix; $root$list lists them"
if [ -z "$root" ] && [ "$prefix" != /usr ] && [ -x /usr/sbin/ovsdb-server ]; then
  echo "Open vSwitch's programs in /usr are still there: PATH decides which ones are found"
fi
