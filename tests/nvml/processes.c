/* Process lists and what each process uses. */
#include "internal.h"

/* Fill at most `room` rows of a kind; gives how many there are. On an instance only its own. */
static unsigned int collect(const wl_device *at, uint32_t kind, nvmlProcessInfo_t *rows, unsigned int room) {
    unsigned int found;
    uint32_t begun;
    do {
        begun = wl_read_begin(&at->gpu->list_seq);
        found = 0;
        for (uint32_t index = 0; index < at->gpu->process_count && index < WL_PROCESSES; index++) {
            const wl_process *process = &at->gpu->processes[index];
            if (!(process->kinds & kind) || process->start_ns > at->now)
                continue;
            if (at->mig != NULL && process->gpu_instance != at->mig->gpu_instance)
                continue;
            if (rows != NULL && found < room)
                rows[found] = (nvmlProcessInfo_t){process->pid, process->memory_bytes, process->gpu_instance,
                                                  process->compute_instance};
            found++;
        }
    } while (wl_read_retry(&at->gpu->list_seq, begun));
    return found;
}

static nvmlReturn_t list(const wl_device *at, uint32_t kind, unsigned int *count, nvmlProcessInfo_t *rows) {
    WL_ARGUMENT(count);
    const unsigned int room = *count;
    *count = collect(at, kind, rows, room);
    return *count > (rows == NULL ? 0 : room) ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                            nvmlProcessInfo_t *rows) {
    WL_DEVICE(nvmlDeviceGetComputeRunningProcesses_v3, device);
    return list(&at, WL_KIND_COMPUTE | WL_KIND_MPS, count, rows);
}

WL_API nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                             nvmlProcessInfo_t *rows) {
    WL_DEVICE(nvmlDeviceGetGraphicsRunningProcesses_v3, device);
    return list(&at, WL_KIND_GRAPHICS, count, rows);
}

WL_API nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                               nvmlProcessInfo_t *rows) {
    WL_DEVICE(nvmlDeviceGetMPSComputeRunningProcesses_v3, device);
    return list(&at, WL_KIND_MPS, count, rows);
}

/* Rows of processes that used something in a sample period after `last_seen`, then the garbage some
 * drivers add: pid 0, a huge percentage, an old stamp. */
static unsigned int usage(const wl_device *at, uint64_t last_seen, nvmlProcessUtilizationInfo_v1_t *rows,
                          unsigned int room) {
    const int64_t update = wl_util_update(at->gpu, at->now);
    const uint64_t stamp = (uint64_t)(wl->samples_epoch ? wl_wall(at->now) - (at->now - update) : update) / 1000;
    unsigned int found;
    uint32_t begun;
    do {
        begun = wl_read_begin(&at->gpu->list_seq);
        found = 0;
        for (uint32_t index = 0; index < at->gpu->process_count && index < WL_PROCESSES; index++) {
            const wl_process *process = &at->gpu->processes[index];
            if (stamp <= last_seen || process->start_ns > update)
                continue;
            if (!(process->sm || process->memory || process->encoder || process->decoder))
                continue;
            if (rows != NULL && found < room)
                rows[found] = (nvmlProcessUtilizationInfo_v1_t){
                    .timeStamp = stamp,
                    .pid = process->pid,
                    .smUtil = process->sm,
                    .memUtil = process->memory,
                    .encUtil = process->encoder,
                    .decUtil = process->decoder,
                };
            found++;
        }
    } while (wl_read_retry(&at->gpu->list_seq, begun));
    for (uint32_t row = 0; row < wl->samples_garbage; row++, found++)
        if (rows != NULL && found < room)
            rows[found] = row % 2 ? (nvmlProcessUtilizationInfo_v1_t){.timeStamp = last_seen, .pid = 1, .smUtil = 7}
                                  : (nvmlProcessUtilizationInfo_v1_t){.timeStamp = stamp, .smUtil = 0xD00DFEED};
    return found;
}

WL_API nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *samples,
                                                    unsigned int *count, unsigned long long last_seen) {
    WL_DEVICE(nvmlDeviceGetProcessUtilization, device);
    WL_ARGUMENT(count);
    WL_NEED(!at.gpu->mig_enabled, NVML_ERROR_NOT_SUPPORTED);
    nvmlProcessUtilizationInfo_v1_t rows[WL_PROCESSES];
    const unsigned int found = usage(&at, last_seen, rows, WL_PROCESSES), room = *count;
    if (found == 0)
        return NVML_ERROR_NOT_FOUND;
    *count = samples == NULL && wl->samples_fixed_size > found ? wl->samples_fixed_size : found;
    if (samples == NULL || room < found)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int row = 0; row < found && row < WL_PROCESSES; row++)
        samples[row] = (nvmlProcessUtilizationSample_t){rows[row].pid,     rows[row].timeStamp, rows[row].smUtil,
                                                        rows[row].memUtil, rows[row].encUtil,   rows[row].decUtil};
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *info) {
    WL_DEVICE(nvmlDeviceGetProcessesUtilizationInfo, device);
    WL_ARGUMENT(info);
    WL_NEED(info->version == nvmlProcessesUtilizationInfo_v1, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    WL_NEED(!at.gpu->mig_enabled, NVML_ERROR_NOT_SUPPORTED);
    const unsigned int room = info->processSamplesCount;
    const unsigned int found = usage(&at, info->lastSeenTimeStamp, info->procUtilArray, room);
    if (found == 0)
        return NVML_ERROR_NOT_FOUND;
    info->processSamplesCount = found;
    if (info->procUtilArray == NULL || room < found) {
        if (wl->samples_fixed_size > found)
            info->processSamplesCount = wl->samples_fixed_size;
        return NVML_ERROR_INSUFFICIENT_SIZE;
    }
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetAccountingMode(nvmlDevice_t device, nvmlEnableState_t *mode) {
    WL_DEVICE(nvmlDeviceGetAccountingMode, device);
    WL_ARGUMENT(mode);
    *mode = NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}
