/* MIG: instances of a board and their handles. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* A GPU instance handle is the handle of its instance's device. */
struct nvmlGpuInstance_st {
    struct nvmlDevice_st device;
};

/* Ids that nvidia-smi lists for 1g, 2g, 3g, 4g and 7g profiles, by NVML_GPU_INSTANCE_PROFILE_*_SLICE. */
static const unsigned int profile_ids[] = {19, 14, 9, 5, 0, 0, 0};

WL_API nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending) {
    WL_DEVICE(nvmlDeviceGetMigMode, device);
    WL_ARGUMENT(current);
    WL_ARGUMENT(pending);
    WL_SUPPORTS(WL_HAS_MIG);
    *current = *pending = at.gpu->mig_enabled;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count) {
    WL_DEVICE(nvmlDeviceGetMaxMigDeviceCount, device);
    WL_ARGUMENT(count);
    *count = at.gpu->supports & WL_HAS_MIG ? 7 : 0;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                        nvmlDevice_t *instance) {
    WL_DEVICE(nvmlDeviceGetMigDeviceHandleByIndex, device);
    WL_ARGUMENT(instance);
    WL_SUPPORTS(WL_HAS_MIG);
    WL_NEED(index < 7, NVML_ERROR_INVALID_ARGUMENT);
    WL_NEED(index < at.gpu->mig_count, NVML_ERROR_NOT_FOUND);
    *instance = wl_handle(at.slot, (int)index);
    return *instance == NULL ? NVML_ERROR_MEMORY : NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *parent) {
    WL_DEVICE(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device);
    WL_ARGUMENT(parent);
    WL_NEED(at.mig != NULL, NVML_ERROR_INVALID_ARGUMENT);
    *parent = wl_handle(at.slot, -1);
    return *parent == NULL ? NVML_ERROR_MEMORY : NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is_instance) {
    WL_DEVICE(nvmlDeviceIsMigDeviceHandle, device);
    WL_ARGUMENT(is_instance);
    *is_instance = at.mig != NULL;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id) {
    WL_DEVICE(nvmlDeviceGetGpuInstanceId, device);
    WL_ARGUMENT(id);
    WL_NEED(at.mig != NULL, NVML_ERROR_NOT_SUPPORTED);
    *id = at.mig->gpu_instance;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id) {
    WL_DEVICE(nvmlDeviceGetComputeInstanceId, device);
    WL_ARGUMENT(id);
    WL_NEED(at.mig != NULL, NVML_ERROR_NOT_SUPPORTED);
    *id = at.mig->compute_instance;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes) {
    WL_DEVICE(nvmlDeviceGetAttributes_v2, device);
    WL_ARGUMENT(attributes);
    WL_NEED(at.mig != NULL, NVML_ERROR_NOT_SUPPORTED);
    *attributes = (nvmlDeviceAttributes_t){
        .multiprocessorCount = at.mig->sm_count,
        .sharedCopyEngineCount = at.mig->copy_engines,
        .sharedDecoderCount = at.mig->decoders,
        .gpuInstanceSliceCount = at.mig->slices,
        .computeInstanceSliceCount = at.mig->slices,
        .memorySizeMB = at.mig->memory_total >> 20,
    };
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *instance) {
    WL_DEVICE(nvmlDeviceGetGpuInstanceById, device);
    WL_ARGUMENT(instance);
    WL_NEED(at.gpu->mig_enabled, NVML_ERROR_NOT_SUPPORTED);
    for (uint32_t index = 0; index < at.gpu->mig_count && index < WL_MIGS; index++)
        if (at.gpu->migs[index].gpu_instance == id) {
            *instance = (nvmlGpuInstance_t)wl_handle(at.slot, (int)index);
            return NVML_SUCCESS;
        }
    return NVML_ERROR_NOT_FOUND;
}

WL_API nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t instance, nvmlGpuInstanceInfo_t *info) {
    WL_DEVICE(nvmlGpuInstanceGetInfo, (nvmlDevice_t)instance);
    WL_ARGUMENT(info);
    WL_NEED(at.mig != NULL, NVML_ERROR_INVALID_ARGUMENT);
    *info = (nvmlGpuInstanceInfo_t){
        .device = wl_handle(at.slot, -1),
        .id = at.mig->gpu_instance,
        .profileId = profile_ids[at.mig->profile_id],
        .placement = {(unsigned int)at.mig_index, at.mig->slices},
    };
    return NVML_SUCCESS;
}

/* Knows the profiles of the present layout only. */
WL_API nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t device, unsigned int profile,
                                                         nvmlGpuInstanceProfileInfo_v2_t *info) {
    WL_DEVICE(nvmlDeviceGetGpuInstanceProfileInfoV, device);
    WL_ARGUMENT(info);
    WL_SUPPORTS(WL_HAS_MIG);
    WL_NEED(info->version == nvmlGpuInstanceProfileInfo_v2, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    for (uint32_t index = 0; index < at.gpu->mig_count && index < WL_MIGS; index++) {
        const wl_mig *mig = &at.gpu->migs[index];
        if (mig->profile_id != profile)
            continue;
        info->id = profile_ids[profile];
        info->sliceCount = mig->slices;
        info->instanceCount = 7 / (mig->slices ? mig->slices : 1);
        info->multiprocessorCount = mig->sm_count;
        info->copyEngineCount = mig->copy_engines;
        info->decoderCount = mig->decoders;
        info->memorySizeMB = mig->memory_total >> 20;
        snprintf(info->name, sizeof info->name, "MIG %s", mig->profile);
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_SUPPORTED;
}
