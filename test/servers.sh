#!/usr/bin/env bash
# Makes sure that the tests find a PostgreSQL and a Redis to start: installs Debian's packages where they are missing and
# the machine allows. Otherwise those tests are skipped, or fail where CI=true.
set -euo pipefail

missing=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
command -v redis-server >/dev/null || missing+=(redis-server)
[ ${#missing[@]} -gt 0 ] || exit 0

install() {
  export DEBIAN_FRONTEND=noninteractive
  # The packages would start servers of their own; the tests start theirs.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && install >/dev/null; then
  exit 0
fi
echo "not found: ${missing[*]}; their tests are skipped (install Debian's packages of these names)"
[ "${CI:-}" != true ]
