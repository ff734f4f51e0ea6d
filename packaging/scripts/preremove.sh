#!/bin/sh
# Before the files go. deb: remove|upgrade|deconfigure ...; rpm: 0 (last), 1 (upgrade).
# An upgrade stops nothing: the script of the new version hands over.
case $1 in
  remove | 0) ;;
  *) exit 0 ;;
esac

if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
  for name in opamp-supervisor opamp-server; do
    systemctl stop "$name.service" || echo "$name: the service could not be stopped" >&2
  done
  # One that a supervisor left which was not running when it was to be stopped.
  /opt/opamp-supervisor/libexec/end-left-collector --now || true
fi
# rpm has no purge that would do it later; the administrator's choice is gone with the package.
if [ "$1" = 0 ] && command -v systemctl >/dev/null; then
  systemctl disable --quiet opamp-supervisor.service opamp-server.service || true
fi
exit 0
