#!/bin/sh
# Installs the real servers that tests start, from the distribution's packages. Where that is not allowed it says
# so and succeeds: the tests that need them are skipped with the reason, except in CI, where they fail.
set -eu

missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need gcc gcc
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need vmagent victoria-metrics
need systemd-analyze systemd
need mkfs.ext4 e2fsprogs
need fsfreeze util-linux
need setpriv util-linux
need ip iproute2
need sbatch slurm-client
need slurmctld slurmctld
need slurmd slurmd
need chromium chromium
need buildah buildah
need debootstrap debootstrap
need lintian lintian
need systemd-nspawn systemd-container
need dpkg-deb dpkg
/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not root, so these packages are not installed and their tests are skipped:$missing" >&2
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no apt-get, so these packages are not installed and their tests are skipped:$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of package names
apt-get install -y -qq --no-install-recommends $missing >/dev/null
