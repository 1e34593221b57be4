# What the scripts of this folder share. Sourced, not run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Runs a command as root: directly, or with sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs Debian packages that are missing.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "installing ${missing[*]}"
  as_root apt-get update -qq
  # Services of the packages are not wanted: tests start their own on private sockets.
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq "${missing[@]}" >/dev/null
}

# Installs Python packages that are missing; the names of package and module are the same.
need_python() {
  local module
  for module in "$@"; do
    python3 -c "import $module" 2>/dev/null && continue
    echo "installing $module"
    python3 -m pip install --quiet --break-system-packages "$module" 2>/dev/null || python3 -m pip install --quiet "$module"
  done
}

need_swift() {
  command -v swift >/dev/null || { echo "swift 6.2 or later is needed: https://www.swift.org/install/linux" >&2; exit 1; }
}
