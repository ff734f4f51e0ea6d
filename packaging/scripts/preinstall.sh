#!/bin/sh
# Before the files come. deb: install|upgrade [old version]; rpm: 1 (first), 2 (upgrade).
set -e

nologin=/usr/sbin/nologin
[ -x $nologin ] || nologin=/sbin/nologin

add_user() {
  if ! getent group "$1" >/dev/null; then
    groupadd --system "$1"
  fi
  if ! getent passwd "$1" >/dev/null; then
    useradd --system --gid "$1" --home-dir "/var/lib/$1" --no-create-home --shell $nologin --comment "$2" "$1"
  fi
}
add_user opamp-supervisor "OpAMP supervisor"
add_user opamp-server "OpAMP server"

# An installation may start the service; an upgrade leaves a stopped one stopped. dpkg tells the second script
# nothing of that difference where the package was removed and not purged.
case $1 in
  install | 1) touch /run/opamp-supervisor.installing ;;
esac
