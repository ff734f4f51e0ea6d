#!/bin/sh
# Before the files come. deb: install|upgrade [old version]; rpm: 1 (first), 2 (upgrade).
set -e
user=opamp-supervisor

if ! getent group "$user" >/dev/null; then
  groupadd --system "$user"
fi
if ! getent passwd "$user" >/dev/null; then
  nologin=/usr/sbin/nologin
  [ -x $nologin ] || nologin=/sbin/nologin
  useradd --system --gid "$user" --home-dir /var/lib/opamp-supervisor --no-create-home --shell $nologin \
    --comment "OpAMP supervisor" "$user"
fi

# An installation may start the service; an upgrade leaves a stopped one stopped. dpkg tells the second script
# nothing of that difference where the package was removed and not purged.
case $1 in
  install | 1) touch /run/opamp-supervisor.installing ;;
esac
