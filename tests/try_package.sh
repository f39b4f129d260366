#!/bin/sh
# Builds sdist and wheel with the Python given, installs the wheel in a clean environment and runs it elsewhere.
set -eu
python=$1
case $python in /*) ;; *) python=$(pwd)/$python ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
ls "$work/dist"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$work"/dist/*.whl
mkdir "$work/elsewhere"
cd "$work/elsewhere"
"$work/venv/bin/wattledger" once --source sim >page.txt
grep -q '^wattledger_gpu_energy_joules_total{gpu="0"' page.txt
grep -q '^wattledger_source_info{source="sim"} 1' page.txt
"$work/venv/bin/python" -m wattledger.agent --version
echo "wheel: $(wc -l <page.txt) lines of page from a clean environment"
