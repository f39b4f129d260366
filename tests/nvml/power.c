/* Power, energy and limits of the whole board; an instance answers with its parent's values. */
#include "internal.h"

nvmlReturn_t wl_power(const wl_device *at, int64_t window, int64_t *mw) {
    if (!(at->gpu->supports & WL_HAS_POWER))
        return NVML_ERROR_NOT_SUPPORTED;
    if (!wl_data_fault(at->slot, WL_FAULT_POWER_SET, mw))
        *mw = wl_published(at->gpu, window, at->now);
    return NVML_SUCCESS;
}

nvmlReturn_t wl_total_energy(const wl_device *at, uint64_t *mj) {
    if (!(at->gpu->supports & WL_HAS_ENERGY))
        return NVML_ERROR_NOT_SUPPORTED;
    int64_t value;
    *mj = wl_counter(at->gpu, at->slot, at->now);
    if (wl_data_fault(at->slot, WL_FAULT_ENERGY_SET, &value))
        *mj = (uint64_t)value;
    if (wl_data_fault(at->slot, WL_FAULT_ENERGY_ADD, &value))
        *mj += (uint64_t)value;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power) {
    WL_DEVICE(nvmlDeviceGetPowerUsage, device);
    WL_ARGUMENT(power);
    int64_t mw = 0;
    nvmlReturn_t code = wl_power(&at, at.gpu->usage_window_ns, &mw);
    if (code == NVML_SUCCESS)
        *power = (unsigned int)mw;
    return code;
}

WL_API nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy) {
    WL_DEVICE(nvmlDeviceGetTotalEnergyConsumption, device);
    WL_ARGUMENT(energy);
    uint64_t mj = 0;
    nvmlReturn_t code = wl_total_energy(&at, &mj);
    if (code == NVML_SUCCESS)
        *energy = mj;
    return code;
}

WL_API nvmlReturn_t nvmlDeviceGetGpuUptime_v1(nvmlDevice_t device, nvmlGpuUptime_v1_t *uptime) {
    WL_DEVICE(nvmlDeviceGetGpuUptime_v1, device);
    WL_ARGUMENT(uptime);
    const int64_t elapsed = at.now - at.gpu->epoch_ns;
    uptime->uptime = elapsed < 0 ? 0 : (unsigned int)(elapsed / WL_NS);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPowerManagementMode(nvmlDevice_t device, nvmlEnableState_t *mode) {
    WL_DEVICE(nvmlDeviceGetPowerManagementMode, device);
    WL_ARGUMENT(mode);
    WL_SUPPORTS(WL_HAS_LIMITS);
    *mode = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned int *limit) {
    WL_DEVICE(nvmlDeviceGetPowerManagementLimit, device);
    WL_ARGUMENT(limit);
    WL_SUPPORTS(WL_HAS_LIMITS);
    *limit = (unsigned int)at.gpu->limit_mw;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *least,
                                                                 unsigned int *most) {
    WL_DEVICE(nvmlDeviceGetPowerManagementLimitConstraints, device);
    WL_ARGUMENT(least);
    WL_ARGUMENT(most);
    WL_SUPPORTS(WL_HAS_LIMITS);
    *least = (unsigned int)at.gpu->limit_min_mw;
    *most = (unsigned int)at.gpu->limit_max_mw;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t device, unsigned int *limit) {
    WL_DEVICE(nvmlDeviceGetPowerManagementDefaultLimit, device);
    WL_ARGUMENT(limit);
    WL_SUPPORTS(WL_HAS_LIMITS);
    *limit = (unsigned int)at.gpu->limit_default_mw;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int *limit) {
    WL_DEVICE(nvmlDeviceGetEnforcedPowerLimit, device);
    WL_ARGUMENT(limit);
    WL_SUPPORTS(WL_HAS_LIMITS);
    *limit = (unsigned int)at.gpu->limit_mw;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPowerSource(nvmlDevice_t device, nvmlPowerSource_t *source) {
    WL_DEVICE(nvmlDeviceGetPowerSource, device);
    WL_ARGUMENT(source);
    *source = NVML_POWER_SOURCE_AC;
    return NVML_SUCCESS;
}
