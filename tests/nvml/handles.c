/* From index, UUID, serial and bus id to a handle, and from a handle to a board. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "internal.h"

#define HANDLES 4096

static struct nvmlDevice_st handles[HANDLES];
static int handle_count;
static pthread_mutex_t handle_lock = PTHREAD_MUTEX_INITIALIZER;

/* NULL when the table is full: thousands of MIG layouts in one process. */
nvmlDevice_t wl_handle(int slot, int mig) {
    const uint32_t generation = mig < 0 ? 0 : wl->gpus[slot].mig_generation;
    nvmlDevice_t found = NULL;
    pthread_mutex_lock(&handle_lock);
    for (int index = 0; index < handle_count && found == NULL; index++)
        if (handles[index].slot == slot && handles[index].mig == mig && handles[index].generation == generation)
            found = &handles[index];
    if (found == NULL && handle_count < HANDLES) {
        found = &handles[handle_count++];
        *found = (struct nvmlDevice_st){slot, mig, generation};
    }
    pthread_mutex_unlock(&handle_lock);
    return found;
}

/* The index NVML shows for a board; -1 when it is no longer there. */
int wl_slot_shown(int slot) {
    for (uint32_t index = 0; index < wl->order_count && index < WL_GPUS; index++)
        if (wl->order[index] == (uint32_t)slot)
            return (int)index;
    return -1;
}

/* Runtime D3: the first call on a sleeping board wakes it, and the kernel says so in sysfs. */
static void wake(wl_gpu *gpu) {
    if (!__atomic_exchange_n(&gpu->asleep, 0, __ATOMIC_SEQ_CST))
        return;
    __atomic_add_fetch(&gpu->wakes, 1, __ATOMIC_SEQ_CST);
    const int file = open(gpu->rtd3_path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file >= 0) {
        if (write(file, "active\n", 7) != 7)
            gpu->asleep = 0;
        close(file);
    }
}

nvmlReturn_t wl_open(wl_call *call, nvmlDevice_t handle, wl_device *at) {
    const int known = handle >= handles && handle < handles + HANDLES;
    nvmlReturn_t code = wl_enter(call, known ? handle->slot : -1);
    if (code != NVML_SUCCESS)
        return code;
    if (!known)
        return NVML_ERROR_INVALID_ARGUMENT;
    *at = (wl_device){&wl->gpus[handle->slot], NULL, handle->slot, handle->mig, wl_now()};
    if (wl_slot_shown(handle->slot) < 0)
        return NVML_ERROR_GPU_IS_LOST;
    if (handle->mig >= 0) {
        /* An instance of an earlier layout is gone. */
        if (handle->generation != at->gpu->mig_generation)
            return NVML_ERROR_INVALID_ARGUMENT;
        at->mig = &at->gpu->migs[handle->mig];
    }
    wake(at->gpu);
    return NVML_SUCCESS;
}

/* Give out a handle; opening a board may fail as any call on it does. */
static nvmlReturn_t give(wl_call *call, int slot, int mig, nvmlDevice_t *device) {
    nvmlReturn_t code = wl_enter(call, slot);
    if (code != NVML_SUCCESS)
        return code;
    if (device == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    wake(&wl->gpus[slot]);
    *device = wl_handle(slot, mig);
    return *device == NULL ? NVML_ERROR_MEMORY : NVML_SUCCESS;
}

#define WL_LOOKUP(name) wl_call call __attribute__((cleanup(wl_leave))) = {WL_FN_##name, 0}

WL_API nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
    WL_SYSTEM(nvmlDeviceGetCount_v2);
    WL_ARGUMENT(count);
    *count = wl->order_count;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    WL_LOOKUP(nvmlDeviceGetHandleByIndex_v2);
    if (wl != NULL && index < wl->order_count && index < WL_GPUS)
        return give(&call, (int)wl->order[index], -1, device);
    nvmlReturn_t code = wl_enter(&call, -1);
    return code != NVML_SUCCESS ? code : NVML_ERROR_INVALID_ARGUMENT;
}

/* The slot of the board whose text at `offset` of wl_gpu is `text`; -1 when there is none. */
static int find(const char *text, size_t offset) {
    if (wl == NULL || text == NULL)
        return -1;
    for (uint32_t index = 0; index < wl->order_count && index < WL_GPUS; index++)
        if (strcasecmp((const char *)&wl->gpus[wl->order[index]] + offset, text) == 0)
            return (int)wl->order[index];
    return -1;
}

static nvmlReturn_t give_found(wl_call *call, int slot, int mig, nvmlDevice_t *device) {
    if (slot >= 0)
        return give(call, slot, mig, device);
    nvmlReturn_t code = wl_enter(call, -1);
    return code != NVML_SUCCESS ? code : NVML_ERROR_NOT_FOUND;
}

WL_API nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    WL_LOOKUP(nvmlDeviceGetHandleByUUID);
    int slot = find(uuid, offsetof(wl_gpu, uuid)), mig = -1;
    for (uint32_t index = 0; slot < 0 && wl != NULL && uuid != NULL && index < wl->order_count; index++) {
        const wl_gpu *gpu = &wl->gpus[wl->order[index]];
        for (uint32_t instance = 0; instance < gpu->mig_count && instance < WL_MIGS; instance++)
            if (strcmp(gpu->migs[instance].uuid, uuid) == 0) {
                slot = (int)wl->order[index];
                mig = (int)instance;
            }
    }
    return give_found(&call, slot, mig, device);
}

WL_API nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device) {
    WL_LOOKUP(nvmlDeviceGetHandleBySerial);
    return give_found(&call, find(serial, offsetof(wl_gpu, serial)), -1, device);
}

WL_API nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device) {
    WL_LOOKUP(nvmlDeviceGetHandleByPciBusId_v2);
    int slot = find(bus_id, offsetof(wl_gpu, bus_id));
    /* sysfs writes four digits of domain, NVML eight. */
    for (uint32_t index = 0; slot < 0 && wl != NULL && bus_id != NULL && index < wl->order_count; index++)
        if (strcasecmp(wl->gpus[wl->order[index]].bus_id + 4, bus_id) == 0)
            slot = (int)wl->order[index];
    return give_found(&call, slot, -1, device);
}
