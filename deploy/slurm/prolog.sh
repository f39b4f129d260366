#!/bin/sh
# Prolog of slurmd: writes down which job has which GPU, for `workloads.slurm.job_map_dir`, as for dcgm-exporter's
# --hpc-job-mapping-dir: a file for each GPU with the job's number, named by the GPU's index, or GPU.INSTANCE (MIG).
# What an epilog that never ran has left is overwritten here. It never fails: a prolog that fails drains the node.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
map_dir=${WATTLEDGER_JOB_MAP_DIR:-/run/gpu-jobs}

say() {
    if command -v logger >/dev/null 2>&1; then
        logger -t wattledger-prolog "job $SLURM_JOB_ID: $*"
    fi
}

# One name a line of "0,1", "0-3", "0:1" and "0.1" (the last two are MIG); what is none of these is left out.
gpus() {
    echo "${SLURM_JOB_GPUS:-}" | tr ',:' '\n.' | while IFS= read -r gpu; do
        case $gpu in
        *[!0-9.-]* | '' | .* | *. | -* | *- | *.*.* | *-*-* | *.*-* | *-*.*) ;;
        *-*) seq "${gpu%-*}" "${gpu#*-}" | head -n 256 ;;
        *) echo "$gpu" ;;
        esac
    done
}

case ${SLURM_JOB_ID:-} in
'' | *[!0-9]*) exit 0 ;;
esac
# Slurm counts MIG instances through, 0 to however many there are on the node: such a number is no GPU's. Which instance
# a UUID is, it does not say; a job on it is found by its processes.
case ${CUDA_VISIBLE_DEVICES:-} in
*MIG-*)
    say "$CUDA_VISIBLE_DEVICES: MIG instances are not written down"
    exit 0
    ;;
esac
umask 022
if ! mkdir -p "$map_dir" 2>/dev/null || ! cd "$map_dir" 2>/dev/null; then
    say "$map_dir cannot be used"
    exit 0
fi
for gpu in $(gpus); do
    # Whole or not at all: the agent may read at any moment, and looks at no name that begins with a dot.
    if ! { echo "$SLURM_JOB_ID" >".$gpu.new" && mv -f ".$gpu.new" "$gpu"; } 2>/dev/null; then
        say "$map_dir/$gpu cannot be written"
    fi
done
exit 0
