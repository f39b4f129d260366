/* PCIe, NVLink, fans, ECC and the other health counters. */
#include "internal.h"

#define WL_NUMBER(name, expression)                                                      \
    WL_API nvmlReturn_t name(nvmlDevice_t device, unsigned int *value) {                 \
        WL_DEVICE(name, device);                                                         \
        WL_ARGUMENT(value);                                                              \
        *value = (unsigned int)(expression);                                             \
        return NVML_SUCCESS;                                                             \
    }

WL_NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, at.gpu->pcie_gen)
WL_NUMBER(nvmlDeviceGetCurrPcieLinkWidth, at.gpu->pcie_width)
WL_NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, at.gpu->pcie_max_gen)
WL_NUMBER(nvmlDeviceGetMaxPcieLinkWidth, at.gpu->pcie_max_width)
WL_NUMBER(nvmlDeviceGetPcieReplayCounter, at.gpu->pcie_replays)

WL_API nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter,
                                                unsigned int *kib_per_second) {
    WL_DEVICE(nvmlDeviceGetPcieThroughput, device);
    WL_ARGUMENT(kib_per_second);
    WL_NEED(counter < NVML_PCIE_UTIL_COUNT, NVML_ERROR_INVALID_ARGUMENT);
    WL_NEED(at.gpu->virtualization != NVML_GPU_VIRTUALIZATION_MODE_VGPU, NVML_ERROR_NOT_SUPPORTED);
    const wl_linear *link = counter == NVML_PCIE_UTIL_TX_BYTES ? &at.gpu->pcie_tx : &at.gpu->pcie_rx;
    *kib_per_second = (unsigned int)(link->per_second / 1024);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *state) {
    WL_DEVICE(nvmlDeviceGetNvLinkState, device);
    WL_ARGUMENT(state);
    WL_SUPPORTS(WL_HAS_NVLINK);
    WL_NEED(link < at.gpu->nvlinks, NVML_ERROR_INVALID_ARGUMENT);
    const int down = at.gpu->mig_enabled || (at.gpu->nvlinks_down >> link & 1);
    *state = down ? NVML_FEATURE_DISABLED : NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version) {
    WL_DEVICE(nvmlDeviceGetNvLinkVersion, device);
    WL_ARGUMENT(version);
    WL_SUPPORTS(WL_HAS_NVLINK);
    WL_NEED(link < at.gpu->nvlinks, NVML_ERROR_INVALID_ARGUMENT);
    *version = at.gpu->architecture >= NVML_DEVICE_ARCH_HOPPER ? 4 : 2;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *percent) {
    WL_DEVICE(nvmlDeviceGetFanSpeed, device);
    WL_ARGUMENT(percent);
    WL_SUPPORTS(WL_HAS_FAN);
    *percent = at.gpu->fan_percent;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *percent) {
    WL_DEVICE(nvmlDeviceGetFanSpeed_v2, device);
    WL_ARGUMENT(percent);
    WL_SUPPORTS(WL_HAS_FAN);
    WL_NEED(fan < 2, NVML_ERROR_INVALID_ARGUMENT);
    *percent = at.gpu->fan_percent;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *fans) {
    WL_DEVICE(nvmlDeviceGetNumFans, device);
    WL_ARGUMENT(fans);
    WL_SUPPORTS(WL_HAS_FAN);
    *fans = 2;
    return NVML_SUCCESS;
}

static uint64_t ecc_errors(const wl_gpu *gpu, nvmlMemoryErrorType_t type) {
    return type == NVML_MEMORY_ERROR_TYPE_CORRECTED ? gpu->ecc_corrected : gpu->ecc_uncorrected;
}

WL_API nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                                    nvmlEccCounterType_t counter, nvmlMemoryLocation_t location,
                                                    unsigned long long *count) {
    WL_DEVICE(nvmlDeviceGetMemoryErrorCounter, device);
    WL_ARGUMENT(count);
    WL_SUPPORTS(WL_HAS_ECC);
    (void)counter;
    *count = location == NVML_MEMORY_LOCATION_DRAM ? ecc_errors(at.gpu, type) : 0;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                                nvmlEccCounterType_t counter, unsigned long long *count) {
    WL_DEVICE(nvmlDeviceGetTotalEccErrors, device);
    WL_ARGUMENT(count);
    WL_SUPPORTS(WL_HAS_ECC);
    (void)counter;
    *count = ecc_errors(at.gpu, type);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current,
                                         nvmlEnableState_t *pending) {
    WL_DEVICE(nvmlDeviceGetEccMode, device);
    WL_ARGUMENT(current);
    WL_ARGUMENT(pending);
    WL_SUPPORTS(WL_HAS_ECC);
    *current = *pending = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected,
                                              unsigned int *uncorrected, unsigned int *pending,
                                              unsigned int *failed) {
    WL_DEVICE(nvmlDeviceGetRemappedRows, device);
    WL_NEED(corrected && uncorrected && pending && failed, NVML_ERROR_INVALID_ARGUMENT);
    WL_SUPPORTS(WL_HAS_REMAPPED);
    *corrected = at.gpu->remapped_corrected;
    *uncorrected = at.gpu->remapped_uncorrected;
    *pending = at.gpu->remapped_pending;
    *failed = at.gpu->remapped_failed;
    return NVML_SUCCESS;
}

static nvmlReturn_t retired(const wl_gpu *gpu, nvmlPageRetirementCause_t cause, unsigned int *count,
                            unsigned long long *addresses, unsigned long long *stamps) {
    WL_ARGUMENT(count);
    if (!(gpu->supports & WL_HAS_RETIRED))
        return NVML_ERROR_NOT_SUPPORTED;
    const unsigned int pages = cause == NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR ? gpu->retired_double
                                                                                        : gpu->retired_single;
    const unsigned int room = *count;
    *count = pages;
    if (room < pages)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int page = 0; addresses != NULL && page < pages; page++) {
        addresses[page] = 0x1000ULL * (page + 1);
        if (stamps != NULL)
            stamps[page] = 1600000000ULL * 1000000 + page;
    }
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause,
                                              unsigned int *count, unsigned long long *addresses) {
    WL_DEVICE(nvmlDeviceGetRetiredPages, device);
    return retired(at.gpu, cause, count, addresses, NULL);
}

WL_API nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause,
                                                 unsigned int *count, unsigned long long *addresses,
                                                 unsigned long long *stamps) {
    WL_DEVICE(nvmlDeviceGetRetiredPages_v2, device);
    return retired(at.gpu, cause, count, addresses, stamps);
}

WL_API nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device, nvmlEnableState_t *pending) {
    WL_DEVICE(nvmlDeviceGetRetiredPagesPendingStatus, device);
    WL_ARGUMENT(pending);
    WL_SUPPORTS(WL_HAS_RETIRED);
    *pending = (nvmlEnableState_t)at.gpu->retired_pending;
    return NVML_SUCCESS;
}
