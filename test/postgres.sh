#!/usr/bin/env bash
# Makes sure that the tests of the PostgreSQL store find a server to start: installs Debian's package where it is missing
# and the machine allows. Otherwise those tests are skipped, or fail where CI=true.
set -euo pipefail
if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # The package would start a server of its own; the tests start theirs.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
  if { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null; then
    exit 0
  fi
fi
echo "no PostgreSQL server found: its tests are skipped (install Debian's package postgresql)"
[ "${CI:-}" != true ]
