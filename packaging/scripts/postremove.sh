#!/bin/sh
# After the files have gone. deb: remove|purge|upgrade|...; rpm: 0 (last), 1 (upgrade).
# A removal keeps state and settings, with the identity of this host; a purge deletes them. The users stay, so
# that nobody else gets their numbers and with them files that were left elsewhere.
case $1 in
  remove | purge | 0)
    if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
      systemctl daemon-reload || true
    fi
    ;;
esac

if [ "$1" = purge ]; then
  rm -rf /var/lib/opamp-supervisor /var/log/opamp-supervisor /etc/opamp-supervisor
  rm -rf /var/lib/opamp-server /etc/opamp-server
  for name in opamp-supervisor opamp-server; do
    rm -f "/etc/systemd/system/multi-user.target.wants/$name.service"
  done
fi
exit 0
