/* What a board is doing: utilisation, clocks, event reasons, temperature, memory. */
#include "internal.h"

/* Utilisation does not exist under MIG, neither on the board nor on an instance. */
#define WL_NO_MIG() WL_NEED(!at.gpu->mig_enabled, NVML_ERROR_NOT_SUPPORTED)

static unsigned int utilisation(const wl_device *at, const wl_step *step) {
    return (unsigned int)wl_step_at(step, wl_util_update(at->gpu, at->now));
}

static unsigned int held(const wl_device *at, const wl_step *step) {
    return (unsigned int)wl_step_at(step, wl_update_time(at->gpu, wl_update_at(at->gpu, at->now)));
}

WL_API nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    WL_DEVICE(nvmlDeviceGetUtilizationRates, device);
    WL_ARGUMENT(rates);
    WL_NO_MIG();
    rates->gpu = utilisation(&at, &at.gpu->util_gpu);
    rates->memory = utilisation(&at, &at.gpu->util_memory);
    return NVML_SUCCESS;
}

#define WL_ENGINE(name, expression)                                                      \
    WL_API nvmlReturn_t name(nvmlDevice_t device, unsigned int *percent, unsigned int *period_us) { \
        WL_DEVICE(name, device);                                                         \
        WL_ARGUMENT(percent);                                                            \
        WL_ARGUMENT(period_us);                                                          \
        WL_NO_MIG();                                                                     \
        *percent = (expression);                                                         \
        *period_us = (unsigned int)(at.gpu->util_period_ns / 1000);                      \
        return NVML_SUCCESS;                                                             \
    }

WL_ENGINE(nvmlDeviceGetEncoderUtilization, utilisation(&at, &at.gpu->util_encoder))
WL_ENGINE(nvmlDeviceGetDecoderUtilization, utilisation(&at, &at.gpu->util_decoder))
WL_ENGINE(nvmlDeviceGetJpgUtilization, 0)
WL_ENGINE(nvmlDeviceGetOfaUtilization, 0)

static nvmlReturn_t clock_now(const wl_device *at, nvmlClockType_t type, unsigned int *mhz) {
    WL_ARGUMENT(mhz);
    switch (type) {
    case NVML_CLOCK_GRAPHICS:
    case NVML_CLOCK_SM:
        *mhz = held(at, &at->gpu->sm_clock);
        return NVML_SUCCESS;
    case NVML_CLOCK_MEM:
        if (!(at->gpu->supports & WL_HAS_MEM_CLOCK))
            return NVML_ERROR_NOT_SUPPORTED;
        *mhz = held(at, &at->gpu->mem_clock);
        return NVML_SUCCESS;
    case NVML_CLOCK_VIDEO: /* follows the SM clock at about nine tenths */
        *mhz = held(at, &at->gpu->sm_clock) * 9 / 10;
        return NVML_SUCCESS;
    default:
        return NVML_ERROR_INVALID_ARGUMENT;
    }
}

static nvmlReturn_t clock_max(const wl_device *at, nvmlClockType_t type, unsigned int *mhz) {
    WL_ARGUMENT(mhz);
    if (type >= NVML_CLOCK_COUNT)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (type == NVML_CLOCK_MEM && !(at->gpu->supports & WL_HAS_MEM_CLOCK))
        return NVML_ERROR_NOT_SUPPORTED;
    *mhz = type == NVML_CLOCK_MEM ? at->gpu->max_mem_clock : at->gpu->max_sm_clock;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz) {
    WL_DEVICE(nvmlDeviceGetClockInfo, device);
    return clock_now(&at, type, mhz);
}

WL_API nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id,
                                       unsigned int *mhz) {
    WL_DEVICE(nvmlDeviceGetClock, device);
    return id == NVML_CLOCK_ID_CURRENT ? clock_now(&at, type, mhz) : clock_max(&at, type, mhz);
}

WL_API nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz) {
    WL_DEVICE(nvmlDeviceGetMaxClockInfo, device);
    return clock_max(&at, type, mhz);
}

WL_API nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t type, unsigned int *mhz) {
    WL_DEVICE(nvmlDeviceGetApplicationsClock, device);
    return clock_max(&at, type, mhz);
}

WL_API nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *state) {
    WL_DEVICE(nvmlDeviceGetPerformanceState, device);
    WL_ARGUMENT(state);
    *state = (nvmlPstates_t)held(&at, &at.gpu->pstate);
    return NVML_SUCCESS;
}

/* The GpuIdle bit follows utilisation unless the test fixed it. */
uint64_t wl_reasons(const wl_device *at) {
    uint64_t reasons = at->gpu->reasons;
    if (!at->gpu->reasons_fixed && reasons == 0 && utilisation(at, &at->gpu->util_gpu) == 0)
        reasons |= nvmlClocksEventReasonGpuIdle;
    return reasons;
}

#define WL_REASONS(name, expression)                                                     \
    WL_API nvmlReturn_t name(nvmlDevice_t device, unsigned long long *reasons) {         \
        WL_DEVICE(name, device);                                                         \
        WL_ARGUMENT(reasons);                                                            \
        *reasons = (expression);                                                         \
        return NVML_SUCCESS;                                                             \
    }

WL_REASONS(nvmlDeviceGetCurrentClocksEventReasons, wl_reasons(&at))
WL_REASONS(nvmlDeviceGetCurrentClocksThrottleReasons, wl_reasons(&at))
WL_REASONS(nvmlDeviceGetSupportedClocksEventReasons, 0x1FF)
WL_REASONS(nvmlDeviceGetSupportedClocksThrottleReasons, 0x1FF)

WL_API nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor,
                                             unsigned int *celsius) {
    WL_DEVICE(nvmlDeviceGetTemperature, device);
    WL_ARGUMENT(celsius);
    WL_NEED(sensor == NVML_TEMPERATURE_GPU, NVML_ERROR_INVALID_ARGUMENT);
    *celsius = (unsigned int)(at.gpu->temperature_mc / 1000);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature) {
    WL_DEVICE(nvmlDeviceGetTemperatureV, device);
    WL_ARGUMENT(temperature);
    WL_NEED(temperature->version == nvmlTemperature_v1, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    WL_NEED(temperature->sensorType == NVML_TEMPERATURE_GPU, NVML_ERROR_INVALID_ARGUMENT);
    temperature->temperature = (int)(at.gpu->temperature_mc / 1000);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t threshold,
                                                      unsigned int *celsius) {
    static const unsigned int thresholds[] = {92, 89, 95, 87};
    WL_DEVICE(nvmlDeviceGetTemperatureThreshold, device);
    WL_ARGUMENT(celsius);
    WL_NEED(threshold <= NVML_TEMPERATURE_THRESHOLD_GPU_MAX, NVML_ERROR_NOT_SUPPORTED);
    *celsius = thresholds[threshold];
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_t *margin) {
    WL_DEVICE(nvmlDeviceGetMarginTemperature, device);
    WL_ARGUMENT(margin);
    WL_NEED(margin->version == nvmlMarginTemperature_v1, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    WL_SUPPORTS(WL_HAS_TLIMIT);
    margin->marginTemperature = 87 - (int)(at.gpu->temperature_mc / 1000);
    return NVML_SUCCESS;
}

/* Memory of the handle: an instance has its own. */
typedef struct {
    uint64_t total, reserved, used;
} memory;

static memory memory_of(const wl_device *at) {
    if (at->mig != NULL)
        return (memory){at->mig->memory_total, 0, at->mig->memory_used};
    return (memory){at->gpu->memory_total, at->gpu->memory_reserved, at->gpu->memory_used};
}

WL_API nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *info) {
    WL_DEVICE(nvmlDeviceGetMemoryInfo, device);
    WL_ARGUMENT(info);
    WL_SUPPORTS(WL_HAS_MEMORY_INFO);
    const memory now = memory_of(&at);
    info->total = now.total;
    info->used = now.used + now.reserved; /* version 1 counts what is reserved as used */
    info->free = now.total - info->used;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *info) {
    WL_DEVICE(nvmlDeviceGetMemoryInfo_v2, device);
    WL_ARGUMENT(info);
    WL_NEED(info->version == nvmlMemory_v2, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    WL_SUPPORTS(WL_HAS_MEMORY_INFO);
    const memory now = memory_of(&at);
    info->total = now.total;
    info->reserved = now.reserved;
    info->used = now.used;
    info->free = now.total - now.used - now.reserved;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *info) {
    WL_DEVICE(nvmlDeviceGetBAR1MemoryInfo, device);
    WL_ARGUMENT(info);
    WL_SUPPORTS(WL_HAS_MEMORY_INFO);
    info->bar1Total = at.gpu->bar1_total;
    info->bar1Used = at.gpu->bar1_used;
    info->bar1Free = at.gpu->bar1_total - at.gpu->bar1_used;
    return NVML_SUCCESS;
}
