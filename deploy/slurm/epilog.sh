#!/bin/sh
# Epilog of slurmd: takes away what prolog.sh wrote for this job, whatever SLURM_JOB_GPUS says by now. A GPU that
# another job has meanwhile stays that job's. It never fails: an epilog that fails drains the node.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
map_dir=${WATTLEDGER_JOB_MAP_DIR:-/run/gpu-jobs}

case ${SLURM_JOB_ID:-} in
'' | *[!0-9]*) exit 0 ;;
esac
cd "$map_dir" 2>/dev/null || exit 0
for file in [0-9]*; do
    if grep -qsx "$SLURM_JOB_ID" "$file"; then
        rm -f "$file"
    fi
done
exit 0
