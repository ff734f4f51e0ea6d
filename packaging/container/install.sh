#!/bin/sh
# Makes a Debian 12 into the base of both images: install.sh ARCH FOLDER, with the tarballs in FOLDER.
set -eu
case $1 in
  amd64) arch=x64 ;;
  arm64) arch=arm64 ;;
  *) echo "no packages are made for $1: there is amd64 and arm64" >&2; exit 1 ;;
esac
set -- "$2"/opamp-supervisor-*-linux-"$arch".tar.gz
if [ $# -ne 1 ] || [ ! -e "$1" ]; then
  echo "artifacts/ has to have one opamp-supervisor-VERSION-linux-$arch.tar.gz: run \"npm run package\" first" >&2
  exit 1
fi

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates libstdc++6 tini
rm -rf /var/lib/apt/lists/*

mkdir -p /opt/opamp-supervisor
tar --extract --gzip --file "$1" --directory /opt/opamp-supervisor --strip-components=1 --no-same-owner
for program in opamp-supervisor opamp-server; do
  ln -s "/opt/opamp-supervisor/bin/$program" "/usr/bin/$program"
done
for name in supervisor server; do
  install -d -m 0755 "/etc/opamp-$name"
  # Of the user that the image runs as; a volume that is mounted here has its own owner.
  install -d -m 0700 -o 65532 -g 65532 "/var/lib/opamp-$name"
done
