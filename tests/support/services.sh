#!/usr/bin/env bash
# The servers that tests of the managed gateway run for real: PostgreSQL and Redis, from Debian's packages.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
  echo "The tests of the gateway need these programs: ${missing[*]}. They are not here, and cannot be installed from" \
    "here (apt-get as root): install them, and run this again." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "Installing ${missing[*]}, which the tests of the gateway run."
"${as_root[@]}" apt-get update -qq
# Only the programs: no server is to be started by the package, and none is.
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
