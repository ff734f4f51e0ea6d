#!/bin/sh
# After the files have come. deb: configure [old version]; rpm: 1 (first), 2 (upgrade).
# Whatever goes wrong with the service is said and fails no installation: data flows, and dpkg has other work.
set -e
service=opamp-supervisor.service
settings=/etc/opamp-supervisor/supervisor.yaml

case $1 in
  configure | 1 | 2) ;;
  *) exit 0 ;;
esac

# Not in the package, so that what removes the package leaves it.
install -d -m 0700 -o opamp-supervisor -g opamp-supervisor /var/lib/opamp-supervisor

installing=
if [ -e /run/opamp-supervisor.installing ]; then
  installing=1
  rm -f /run/opamp-supervisor.installing
fi

has_systemctl() { command -v systemctl >/dev/null; }
is_booted() { [ -d /run/systemd/system ] && has_systemctl; }

# Once and never again: what an administrator has disabled stays so.
if has_systemctl && { [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; }; then
  systemctl enable --quiet "$service" || echo "opamp-supervisor: cannot enable $service" >&2
fi

hand_over_or_start() {
  systemctl daemon-reload || true
  if [ -n "$installing" ]; then
    [ -e "$settings" ] && systemctl is-enabled --quiet "$service" || return 0
    systemctl start "$service"
    return
  fi
  # RestartKillSignal came with version 244; an older one would end the Collector too.
  version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  if [ "${version:-0}" -ge 244 ]; then
    systemctl try-restart "$service"
  else
    main=$(systemctl show --property=MainPID "$service")
    [ "${main#*=}" -gt 0 ] || return 0
    # Restart=always brings the new one.
    kill -USR2 "${main#*=}"
  fi
}

if is_booted && ! hand_over_or_start; then
  echo "opamp-supervisor: the service did not start: systemctl status $service" >&2
fi
# Where opamp-server runs it becomes the new one; nothing here ever enables or starts it.
if is_booted && ! systemctl try-restart opamp-server.service; then
  echo "opamp-server: the service did not start again: systemctl status opamp-server.service" >&2
fi

if [ ! -e "$settings" ]; then
  cat <<TEXT
opamp-supervisor is installed. It has no settings yet and does not run. What to do next:
  install -m 640 -g opamp-supervisor /opt/opamp-supervisor/supervisor.example.yaml $settings
  editor $settings      # at least server.endpoint and agent.executable
  opamp-supervisor validate --config $settings
  systemctl start opamp-supervisor
TEXT
  if [ -e /etc/opampsupervisor/config.yaml ] || [ -x /usr/bin/opampsupervisor ]; then
    cat <<TEXT
Or, since the reference supervisor (opampsupervisor) is on this host, take over from it, with its settings, its
state and its identity. This stops it and starts opamp-supervisor in its place:
  opamp-supervisor-take-over
TEXT
  fi
fi
exit 0
