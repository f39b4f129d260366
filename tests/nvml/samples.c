/* nvmlDeviceGetSamples: a ring of recent values. Power comes every 20 ms, percent and MHz every sample
 * period of the board. Rings of utilisation run dry while a board idles. */
#include "internal.h"

#define RING 120
#define POWER_SPACING_NS 20000000LL

static int64_t value_at(const wl_device *at, nvmlSamplingType_t type, int64_t time, int64_t spacing) {
    const wl_gpu *gpu = at->gpu;
    switch (type) {
    case NVML_TOTAL_POWER_SAMPLES:
    case NVML_MODULE_POWER_SAMPLES: {
        const int64_t mean = (int64_t)((wl_energy(gpu, time) - wl_energy(gpu, time - spacing)) / spacing);
        return mean * gpu->gain_ppm / 1000000 + gpu->offset_mw;
    }
    case NVML_GPU_UTILIZATION_SAMPLES:
        return wl_step_at(&gpu->util_gpu, time);
    case NVML_MEMORY_UTILIZATION_SAMPLES:
        return wl_step_at(&gpu->util_memory, time);
    case NVML_ENC_UTILIZATION_SAMPLES:
        return wl_step_at(&gpu->util_encoder, time);
    case NVML_DEC_UTILIZATION_SAMPLES:
        return wl_step_at(&gpu->util_decoder, time);
    case NVML_PROCESSOR_CLK_SAMPLES:
        return wl_step_at(&gpu->sm_clock, time);
    case NVML_MEMORY_CLK_SAMPLES:
        return wl_step_at(&gpu->mem_clock, time);
    default:
        return 0;
    }
}

static int is_utilisation(nvmlSamplingType_t type) {
    return type == NVML_GPU_UTILIZATION_SAMPLES || type == NVML_MEMORY_UTILIZATION_SAMPLES ||
           type == NVML_ENC_UTILIZATION_SAMPLES || type == NVML_DEC_UTILIZATION_SAMPLES ||
           type == NVML_JPG_UTILIZATION_SAMPLES || type == NVML_OFA_UTILIZATION_SAMPLES;
}

WL_API nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type, unsigned long long last_seen,
                                         nvmlValueType_t *value_type, unsigned int *count, nvmlSample_t *samples) {
    WL_DEVICE(nvmlDeviceGetSamples, device);
    WL_ARGUMENT(value_type);
    WL_ARGUMENT(count);
    WL_NEED(type < NVML_SAMPLINGTYPE_COUNT, NVML_ERROR_INVALID_ARGUMENT);
    const int power = type == NVML_TOTAL_POWER_SAMPLES || type == NVML_MODULE_POWER_SAMPLES;
    WL_NEED(!power || (at.gpu->supports & WL_HAS_POWER), NVML_ERROR_NOT_SUPPORTED);
    WL_NEED(type != NVML_MODULE_POWER_SAMPLES || (at.gpu->supports & WL_HAS_SCOPE_MODULE),
            NVML_ERROR_NOT_SUPPORTED);
    WL_NEED(!(is_utilisation(type) && at.gpu->mig_enabled), NVML_ERROR_NOT_SUPPORTED);
    *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
    const unsigned int room = *count;
    if (samples == NULL) {
        *count = wl->samples_fixed_size ? wl->samples_fixed_size : RING;
        return NVML_SUCCESS;
    }
    const int64_t spacing = power ? POWER_SPACING_NS : at.gpu->util_period_ns;
    const int64_t shift = wl->samples_epoch ? wl_wall(at.now) - at.now : 0;
    const int64_t newest = (at.now - at.gpu->phase_ns) / spacing * spacing + at.gpu->phase_ns;
    unsigned int found = 0;
    const int dry = is_utilisation(type) && wl_step_at(&at.gpu->util_gpu, newest) == 0;
    for (int place = RING - 1; place >= 0 && !dry; place--) {
        const int64_t time = newest - place * spacing;
        const uint64_t stamp = (uint64_t)(time + shift) / 1000;
        if (stamp <= last_seen || found >= room)
            continue;
        samples[found].timeStamp = stamp;
        samples[found].sampleValue.ullVal = (uint64_t)value_at(&at, type, time, spacing);
        found++;
    }
    for (uint32_t row = 0; row < wl->samples_garbage && found > 0 && found < room; row++, found++) {
        samples[found].timeStamp = row % 2 ? last_seen : 0;
        samples[found].sampleValue.ullVal = 0xD00DFEED;
    }
    *count = found;
    return found == 0 && wl->samples_not_found ? NVML_ERROR_NOT_FOUND : NVML_SUCCESS;
}
