/* GPM: two samples and the mean of each metric between them. Hopper and newer, not under confidential
 * computing. Samples closer than 100 ms are within nothing NVML promises: NaN with SUCCESS. */
#include <math.h>
#include <stdlib.h>

#include "internal.h"

#define SHORTEST_NS 100000000LL

/* The integrals a sample holds: set metrics by id, and the links' bytes. */
struct nvmlGpmSample_st {
    int slot, mig, taken;
    int64_t time;
    uint32_t count;
    int32_t ids[WL_GPM_VALUES];
    double sums[WL_GPM_VALUES];
    uint64_t pcie_tx, pcie_rx, nvlink_tx, nvlink_rx;
};

static int offered(const wl_gpu *gpu) {
    return (gpu->supports & WL_HAS_GPM) && !wl->conf_compute;
}

WL_API nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *support) {
    WL_DEVICE(nvmlGpmQueryDeviceSupport, device);
    WL_ARGUMENT(support);
    WL_NEED(support->version == NVML_GPM_SUPPORT_VERSION, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    support->isSupportedDevice = (unsigned int)offered(at.gpu);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *sample) {
    WL_SYSTEM(nvmlGpmSampleAlloc);
    WL_ARGUMENT(sample);
    *sample = calloc(1, sizeof **sample);
    return *sample == NULL ? NVML_ERROR_MEMORY : NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample) {
    WL_SYSTEM(nvmlGpmSampleFree);
    WL_ARGUMENT(sample);
    free(sample);
    return NVML_SUCCESS;
}

static nvmlReturn_t take(const wl_device *at, int mig, nvmlGpmSample_t sample) {
    WL_ARGUMENT(sample);
    const wl_gpu *gpu = at->gpu;
    if (!offered(gpu))
        return NVML_ERROR_NOT_SUPPORTED;
    uint32_t begun;
    do {
        begun = wl_read_begin(&gpu->list_seq);
        sample->count = 0;
        for (uint32_t index = 0; index < gpu->gpm_count && index < WL_GPM_VALUES; index++) {
            const wl_gpm_value *value = &gpu->gpm[index];
            if (value->mig != mig)
                continue;
            const int64_t elapsed = at->now > value->since_ns ? at->now - value->since_ns : 0;
            sample->ids[sample->count] = value->metric;
            sample->sums[sample->count++] = value->sum + value->value * (double)elapsed;
        }
    } while (wl_read_retry(&gpu->list_seq, begun));
    sample->slot = at->slot;
    sample->mig = mig;
    sample->time = at->now;
    sample->taken = 1;
    sample->pcie_tx = wl_linear_at(&gpu->pcie_tx, at->now);
    sample->pcie_rx = wl_linear_at(&gpu->pcie_rx, at->now);
    sample->nvlink_tx = wl_linear_at(&gpu->nvlink_tx, at->now);
    sample->nvlink_rx = wl_linear_at(&gpu->nvlink_rx, at->now);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample) {
    WL_DEVICE(nvmlGpmSampleGet, device);
    return take(&at, at.mig_index, sample);
}

WL_API nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gpu_instance, nvmlGpmSample_t sample) {
    WL_DEVICE(nvmlGpmMigSampleGet, device);
    for (uint32_t index = 0; index < at.gpu->mig_count && index < WL_MIGS; index++)
        if (at.gpu->migs[index].gpu_instance == gpu_instance)
            return take(&at, (int)index, sample);
    return NVML_ERROR_NOT_FOUND;
}

static double sum_of(nvmlGpmSample_t sample, int32_t id) {
    for (uint32_t index = 0; index < sample->count; index++)
        if (sample->ids[index] == id)
            return sample->sums[index];
    return 0; /* never set: a metric that stayed at 0 */
}

/* Mean of one metric between the samples. */
static double mean(nvmlGpmSample_t first, nvmlGpmSample_t second, unsigned int id) {
    const double ns = (double)(second->time - first->time), mib_per_s = (double)WL_NS / ns / (1 << 20);
    switch (id) {
    case NVML_GPM_METRIC_PCIE_TX_PER_SEC:
        return (double)(second->pcie_tx - first->pcie_tx) * mib_per_s;
    case NVML_GPM_METRIC_PCIE_RX_PER_SEC:
        return (double)(second->pcie_rx - first->pcie_rx) * mib_per_s;
    case NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC:
        return (double)(second->nvlink_rx - first->nvlink_rx) * mib_per_s;
    case NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC:
        return (double)(second->nvlink_tx - first->nvlink_tx) * mib_per_s;
    default:
        return (sum_of(second, (int32_t)id) - sum_of(first, (int32_t)id)) / ns;
    }
}

WL_API nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get) {
    WL_SYSTEM(nvmlGpmMetricsGet);
    WL_ARGUMENT(get);
    WL_NEED(get->version == NVML_GPM_METRICS_GET_VERSION, NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    const nvmlGpmSample_t first = get->sample1, second = get->sample2;
    WL_NEED(first != NULL && second != NULL && first->taken && second->taken, NVML_ERROR_INVALID_ARGUMENT);
    WL_NEED(first->slot == second->slot && first->mig == second->mig && second->time >= first->time,
            NVML_ERROR_INVALID_ARGUMENT);
    const int too_short = second->time - first->time < SHORTEST_NS;
    for (unsigned int index = 0; index < get->numMetrics; index++) {
        nvmlGpmMetric_t *metric = &get->metrics[index];
        const int known = metric->metricId > 0 && metric->metricId < NVML_GPM_METRIC_MAX;
        metric->nvmlReturn = known ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
        metric->value = !known ? 0 : too_short ? NAN : mean(first, second, metric->metricId);
    }
    return NVML_SUCCESS;
}
