/* Event sets. A set sees what happens on a board after it registered there, and nothing before. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define SUPPORTED                                                                        \
    (nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError | nvmlEventTypePState | \
     nvmlEventTypeXidCriticalError | nvmlEventMigConfigChange | nvmlEventTypeGpuUnavailableError | \
     nvmlEventTypeGpuRecoveryAction)

struct nvmlEventSet_st {
    unsigned long long masks[WL_GPUS];
    uint64_t seen[WL_GPUS]; /* events of the board this set has passed */
};

WL_API nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
    WL_SYSTEM(nvmlEventSetCreate);
    WL_ARGUMENT(set);
    *set = calloc(1, sizeof **set);
    return *set == NULL ? NVML_ERROR_MEMORY : NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    WL_SYSTEM(nvmlEventSetFree);
    WL_ARGUMENT(set);
    free(set);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types) {
    WL_DEVICE(nvmlDeviceGetSupportedEventTypes, device);
    WL_ARGUMENT(types);
    *types = SUPPORTED;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
    WL_DEVICE(nvmlDeviceRegisterEvents, device);
    WL_ARGUMENT(set);
    /* One unsupported bit and none is registered. */
    WL_NEED((types & ~(unsigned long long)SUPPORTED) == 0 && at.mig == NULL, NVML_ERROR_NOT_SUPPORTED);
    if (set->masks[at.slot] == 0)
        set->seen[at.slot] = __atomic_load_n(&at.gpu->event_count, __ATOMIC_ACQUIRE);
    set->masks[at.slot] |= types;
    return NVML_SUCCESS;
}

/* Take the next event this set waits for; 0 when there is none. */
static int next_event(nvmlEventSet_t set, nvmlEventData_t *data) {
    for (int slot = 0; slot < WL_GPUS; slot++) {
        const wl_gpu *gpu = &wl->gpus[slot];
        if (set->masks[slot] == 0)
            continue;
        const uint64_t count = __atomic_load_n(&gpu->event_count, __ATOMIC_ACQUIRE);
        if (count > set->seen[slot] + WL_EVENTS)
            set->seen[slot] = count - WL_EVENTS;
        while (set->seen[slot] < count) {
            const wl_event *event = &gpu->events[set->seen[slot]++ % WL_EVENTS];
            if (!(event->type & set->masks[slot]))
                continue;
            *data = (nvmlEventData_t){wl_handle(slot, -1), event->type, event->data, event->gpu_instance,
                                      event->compute_instance};
            return 1;
        }
    }
    return 0;
}

static int64_t monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * WL_NS + time.tv_nsec;
}

/* Waits in real time, whatever the clock of the double: a futex in the control file wakes every waiter. */
WL_API nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeout_ms) {
    WL_SYSTEM(nvmlEventSetWait_v2);
    WL_ARGUMENT(set);
    WL_ARGUMENT(data);
    const int64_t end = monotonic() + (int64_t)timeout_ms * 1000000;
    for (;;) {
        const uint32_t sequence = __atomic_load_n(&wl->event_seq, __ATOMIC_ACQUIRE);
        if (next_event(set, data))
            return NVML_SUCCESS;
        for (int slot = 0; slot < WL_GPUS; slot++)
            if (set->masks[slot] != 0 && wl_slot_shown(slot) < 0)
                return NVML_ERROR_GPU_IS_LOST;
        const int64_t left = end - monotonic();
        if (left <= 0)
            return NVML_ERROR_TIMEOUT;
        const int64_t part = left < WL_NS ? left : WL_NS;
        const struct timespec wait = {part / WL_NS, part % WL_NS};
        syscall(SYS_futex, &wl->event_seq, FUTEX_WAIT, sequence, &wait, NULL, 0);
    }
}
