#!/usr/bin/env bash
# The first process of a machine of its own, as far as namespaces make one: machine.sh FOLDER CODE PACKAGES
#
# FOLDER has the units, the environment, a virtual environment and the steps to type once systemd runs; CODE becomes
# /opt/flavor-sync, PACKAGES /opt/packages. Nothing is written outside of FOLDER: /run, /opt, /var/lib and what changes of
# /etc are in memory, and end with the namespaces.
set -euo pipefail

folder=$1 code=$2 packages=$3
mount --make-rprivate /
mount -t proc proc /proc
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs -o mode=755 none /run
mkdir /run/changes
mount -t tmpfs none /run/changes
mkdir /run/changes/upper /run/changes/work
mount -t overlay overlay -o "lowerdir=/etc,upperdir=/run/changes/upper,workdir=/run/changes/work" /etc
mount -t tmpfs -o mode=755 none /opt
mkdir /opt/flavor-sync /opt/packages
mount --bind "$code" /opt/flavor-sync
mount --bind "$packages" /opt/packages
mount --bind "$folder/venv" /opt/flavor-sync/.venv
if command -v ip >/dev/null; then ip link set lo up; fi

# As docs/deployment.md does
id flavor-sync >/dev/null 2>&1 || useradd --system --home-dir /opt/flavor-sync --shell /usr/sbin/nologin flavor-sync
install -d /etc/flavor-sync
install -m 640 -g flavor-sync "$folder/environment" /etc/flavor-sync/environment
install -m 644 /opt/flavor-sync/deploy/tmpfiles.d/flavor-sync.conf /etc/tmpfiles.d/
mount -t tmpfs -o mode=755 none /var/lib
install -d -m 700 -o flavor-sync /var/lib/flavor-sync
systemd-tmpfiles --create /etc/tmpfiles.d/flavor-sync.conf
cd /opt/flavor-sync
runuser -u flavor-sync -- env ENV_FILE=/etc/flavor-sync/environment .venv/bin/python manage.py prepare

install -d /run/systemd
(
    until [[ -S /run/systemd/private ]]; do sleep 0.1; done
    bash "$folder/steps" >"$folder/said" 2>&1 || true
    touch "$folder/done"
) &
export container=oci SYSTEMD_UNIT_PATH=$folder/units SYSTEMD_GENERATOR_PATH=$folder/generators
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=null </dev/null
