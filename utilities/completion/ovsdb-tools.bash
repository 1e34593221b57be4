# SPDX-License-Identifier: Apache-2.0
#
# Completion of ovsdb-server, ovsdb-client, ovsdb-tool and ovs-appctl for bash. Commands come from the programs themselves, databases,
# tables and columns from the server that the command line names, commands of daemons from the daemon. What does not answer
# within a second is left out; nothing that is asked changes anything.
#
# Sourced by bash-completion when it stands under the name of a program in its directory, or by hand.

# Prints the options that a program's help names. They are asked for once.
declare -gA _ovsdb_options
_ovsdb_options() {
  if [[ -z ${_ovsdb_options[$1]-} ]]; then
    _ovsdb_options[$1]=$(command "$1" --help 2>/dev/null | grep -oE '(^ +|, |\[)(-[A-Za-z]\b|--[a-z][a-z-]*=?)' | grep -oE -e '-.*')
    _ovsdb_options[$1]+=$'\n'$(command "$1" --option 2>/dev/null | sed 's/ .*//; s/\[=*ARG\]//; s/ARG$//')
  fi
  printf '%s\n' "${_ovsdb_options[$1]}"
}

# Puts those of the words of the second argument that begin with the first into COMPREPLY.
_ovsdb_among() {
  local word
  while IFS= read -r word; do
    [[ -n $word && $word == "$1"* ]] && COMPREPLY+=("$word")
  done <<<"$2"
}

# Files with one of the endings, and directories on the way to them; all files when there are none of those.
_ovsdb_files() {
  local current=$1 ending file
  shift
  for ending in "$@"; do
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -X "!*.$ending" -- "$current")
  done
  if [[ ${#COMPREPLY[@]} = 0 ]]; then while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current"); fi
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -d -- "$current")
  compopt -o filenames 2>/dev/null
}

# Sets `current` and `words`: the command line with words that bash broke at `:` and `=` put together again. `cut` is what of
# the current word stands before the part that COMPREPLY replaces.
_ovsdb_words() {
  local line=${COMP_LINE:0:$COMP_POINT}
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]} - 1]}
  cut=
  local breaks part=$current
  for breaks in : =; do
    if [[ $COMP_WORDBREAKS == *$breaks* && $part == *$breaks* ]]; then
      local before=${part%"${part##*"$breaks"}"}
      ((${#before} > ${#cut})) && cut=$before
    fi
  done
}

# Takes `cut` from the front of the answers, as bash replaces only what stands behind a break.
_ovsdb_finish() {
  local index
  [[ -z $cut ]] && return
  for index in "${!COMPREPLY[@]}"; do COMPREPLY[index]=${COMPREPLY[index]#"$cut"}; done
}

# Completes the value of an option that needs one. $1: the option, $2: what is typed of the value.
_ovsdb_value() {
  case $1 in
    --remote) _ovsdb_among "$2" $'punix:\nptcp:\npssl:\nunix:\ntcp:\nssl:\ndb:'; compopt -o nospace ;;
    -f | --format) _ovsdb_among "$2" "$3" ;;
    -d | --data) _ovsdb_among "$2" $'string\njson\nbare' ;;
    --ssl-protocols) _ovsdb_among "$2" $'TLSv1.3\nTLSv1.2' ;;
    --syslog-method) _ovsdb_among "$2" $'libc\nnull\nunix:\nudp:' ;;
    -v | --verbose) _ovsdb_among "$2" $'off\nemer\nerr\nwarn\ninfo\ndbg\nconsole:\nfile:\nsyslog:\nany:' ;;
    --user) _ovsdb_among "$2" "$(compgen -u)" ;;
    -t | --target) _ovsdb_targets "$2" ;;
    --unixctl | --log-file | --pidfile | --config-file | --private-key | --certificate | --ca-cert | --bootstrap-ca-cert | --peer-ca-cert | -p | -c | -C)
      _ovsdb_files "$2" ;;
  esac
}

# Whether an option of a program takes a value as the next word.
_ovsdb_takes_value() {
  case $1:$2 in
    ovs-appctl:-[tTf] | ovs-appctl:--target | ovs-appctl:--timeout | *:--format | ovsdb-client:-[fdtpcC] | ovsdb-client:--timeout) return 0 ;;
    ovsdb-server:-[pcC] | *:--data | *:--max-column-width | *:--remote | *:--unixctl | *:--run | *:--config-file | *:--user) return 0 ;;
    *:--private-key | *:--certificate | *:--ca-cert | *:--bootstrap-ca-cert | *:--peer-ca-cert | *:--ssl-*) return 0 ;;
    *:--sync-from | *:--sync-exclude-tables | *:--syslog-* | *:--rbac-role | *:--cid | *:--election-timer) return 0 ;;
  esac
  return 1
}

# Options and their values; fails when the current word is neither. $1: program, $2: formats it knows.
_ovsdb_complete_options() {
  local previous=
  ((${#words[@]} > 2)) && previous=${words[${#words[@]} - 2]}
  if [[ $current == --*=* ]]; then
    local index
    _ovsdb_value "${current%%=*}" "${current#*=}" "$2"
    for index in "${!COMPREPLY[@]}"; do COMPREPLY[index]=${current%%=*}=${COMPREPLY[index]}; done
    return 0
  fi
  if _ovsdb_takes_value "$1" "$previous"; then
    _ovsdb_value "$previous" "$current" "$2"
    return 0
  fi
  [[ $current == -* ]] || return 1
  _ovsdb_among "$current" "$(_ovsdb_options "$1" | sort -u)"
  [[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  return 0
}

# Sets `arguments` to the words that are no options, the current one included.
_ovsdb_arguments() {
  arguments=()
  local index
  for ((index = 1; index < ${#words[@]}; index++)); do
    if ((index < ${#words[@]} - 1)) && _ovsdb_takes_value "$1" "${words[index]}"; then
      ((index++))
    elif [[ ${words[index]} != -?* ]] || ((index == ${#words[@]} - 1)); then
      arguments+=("${words[index]}")
    fi
  done
}

_ovsdb_server() {
  local words current cut
  _ovsdb_words
  _ovsdb_complete_options ovsdb-server "" || _ovsdb_files "$current" db
  _ovsdb_finish
}

_ovsdb_tool() {
  local words current cut arguments
  _ovsdb_words
  if ! _ovsdb_complete_options ovsdb-tool ""; then
    _ovsdb_arguments ovsdb-tool
    local count=${#arguments[@]}
    case $count:${arguments[0]} in
      1:*) _ovsdb_among "$current" "$(_ovsdb_tool_commands)" ;;
      2:schema-* | 3:create | 3:convert | 3:needs-conversion | 3:create-cluster | 4:salvage) _ovsdb_files "$current" ovsschema ;;
      3:compare-versions) _ovsdb_among "$current" $'<\n<=\n==\n>=\n>\n!=' ;;
      *:compare-versions | *:help | *:list-commands | 3:query | 3:transact) ;;
      *) _ovsdb_files "$current" db ;;
    esac
  fi
  _ovsdb_finish
}

_ovsdb_tool_commands() {
  command ovsdb-tool list-commands 2>/dev/null | awk 'NR > 1 { print $1 }'
  printf 'check\nsalvage\n'
}

_ovsdb_client() {
  local words current cut arguments
  _ovsdb_words
  if ! _ovsdb_complete_options ovsdb-client $'table\nlist\nhtml\ncsv\njson'; then
    _ovsdb_arguments ovsdb-client
    _ovsdb_client_argument
  fi
  _ovsdb_finish
}

_ovsdb_client_argument() {
  local command=${arguments[0]} server=
  if ((${#arguments[@]} == 1)); then
    _ovsdb_among "$current" "$(command ovsdb-client --help | grep -oE '^  (\[--force\] )?[a-z][a-z-]+' | grep -oE '[a-z][a-z-]+$' | sort -u)"
    return
  fi
  # A first argument that looks like a server is one; else the default is asked.
  case ${arguments[1]} in
    *:*) ((${#arguments[@]} > 2)) && server=${arguments[1]} && arguments=("$command" "${arguments[@]:2}") ;;
  esac
  local asked=() database=${arguments[1]} table=${arguments[2]-} count=${#arguments[@]}
  [[ -n $server ]] && asked=("$server")
  if ((count == 2)) && [[ -z $server ]]; then _ovsdb_servers "$current"; fi
  case $command:$count in
    convert:2 | needs-conversion:2) _ovsdb_files "$current" ovsschema ;;
    get-schema*:2 | list-tables:2 | list-columns:2 | dump:2 | watch:2 | monitor:2 | monitor-cond*:2 | backup:2 | restore:2 | wait:2)
      _ovsdb_among "$current" "$(_ovsdb_ask list-dbs "${asked[@]}")" ;;
    wait:3) _ovsdb_among "$current" $'added\nconnected\nremoved' ;;
    list-columns:3 | dump:3 | watch:3 | monitor:3)
      _ovsdb_among "$current" "$(_ovsdb_ask list-tables "${asked[@]}" "$database" | awk 'NR > 2 { print $1 }')"
      [[ $command == monitor ]] && _ovsdb_among "$current" ALL ;;
    dump:* | watch:*) _ovsdb_among "$current" "$(_ovsdb_columns "$database" "$table" "${asked[@]}")" ;;
    monitor:*)
      local before=
      [[ $current == *,* ]] && before=${current%,*},
      _ovsdb_among "$current" "$(_ovsdb_columns "$database" "$table" "${asked[@]}" | sed "s/^/$before/")"
      compopt -o nospace ;;
  esac
}

_ovsdb_ask() { command ovsdb-client --timeout=1 -vconsole:off "$@" 2>/dev/null; }

# $1: database, $2: table, then the server if one is named.
_ovsdb_columns() { _ovsdb_ask list-columns "${@:3}" "$1" "$2" | awk 'NR > 2 { print $1 }'; }

# Sockets of the run directory, and the beginnings of other remotes.
_ovsdb_servers() {
  local file
  if [[ $1 == unix:* ]]; then
    while IFS= read -r file; do COMPREPLY+=("unix:$file"); done < <(compgen -f -- "${1#unix:}")
    return
  fi
  for file in "${OVS_RUNDIR:-/var/run/openvswitch}"/*.sock; do
    [[ -S $file ]] && _ovsdb_among "$1" "unix:$file"
  done
  if [[ -n $1 ]]; then _ovsdb_among "$1" $'unix:\ntcp:\nssl:\npunix:\nptcp:\npssl:'; fi
  [[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace
}

# Programs with a pid file, and control sockets by their paths.
_ovsdb_targets() {
  local file
  if [[ $1 == /* ]]; then
    _ovsdb_files "$1" ctl
    return
  fi
  for file in "${OVS_RUNDIR:-/var/run/openvswitch}"/*.pid; do
    file=${file##*/}
    [[ $file != '*.pid' ]] && _ovsdb_among "$1" "${file%.pid}"
  done
}

_ovs_appctl() {
  local words current cut arguments index target=()
  _ovsdb_words
  # Behind the command everything is the daemon's, so that only the first word that is no option is ours.
  _ovsdb_arguments ovs-appctl
  if ((${#arguments[@]} > 1)) || ! _ovsdb_complete_options ovs-appctl $'text\njson'; then
    for ((index = 1; index < ${#words[@]} - 1; index++)); do
      case ${words[index]} in
        -t | --target) target=(-t "${words[index + 1]}") ;;
        --target=* | -t?*) target=("${words[index]}") ;;
      esac
    done
    case ${#arguments[@]}:${arguments[0]-} in
      1:*)
        _ovsdb_among "$current" \
          "$(command ovs-appctl -T 1 -vconsole:off "${target[@]}" list-commands 2>/dev/null | awk 'NR > 1 { print $1 }')" ;;
      2:ovsdb-server/remove-db | 2:ovsdb-server/compact | 2:ovsdb-server/get-db-storage-status)
        _ovsdb_among "$current" "$(_ovs_appctl_ask ovsdb-server/list-dbs "${target[@]}")" ;;
      2:ovsdb-server/remove-remote) _ovsdb_among "$current" "$(_ovs_appctl_ask ovsdb-server/list-remotes "${target[@]}")" ;;
      2:ovsdb-server/add-db) _ovsdb_files "$current" db ;;
      2:ovsdb-server/add-remote) _ovsdb_value --remote "$current" ;;
      2:ovsdb-server/memory-trim-on-compaction) _ovsdb_among "$current" $'on\noff' ;;
      *:vlog/set) _ovsdb_value --verbose "$current" ;;
      *:vlog/*-rate-limit)
        _ovsdb_among "$current" "$(_ovs_appctl_ask vlog/list "${target[@]}" | awk 'NR > 2 { print $1 }')" ;;
    esac
  fi
  _ovsdb_finish
}

# $1: command, then the target as options.
_ovs_appctl_ask() { command ovs-appctl -T 1 -vconsole:off "${@:2}" "$1" 2>/dev/null; }

complete -F _ovsdb_server ovsdb-server
complete -F _ovsdb_client ovsdb-client
complete -F _ovsdb_tool ovsdb-tool
complete -F _ovs_appctl ovs-appctl
