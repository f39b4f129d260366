/* GetFieldValues: many ids in one call, each with its own return code. Two threads of one process inside
 * at once corrupt each other's results, as was seen on real machines. */
#include <string.h>

#include "internal.h"

/* Places of wl_gpu.reason_ns by field id. */
static const unsigned int reason_fields[WL_REASON_COUNTERS] = {74, 75, 76, 77, 78, 79, 81, 269, 270, 271};

static nvmlReturn_t put_u64(nvmlFieldValue_t *field, uint64_t value) {
    field->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
    field->value.ullVal = value;
    return NVML_SUCCESS;
}

static nvmlReturn_t put_u32(nvmlFieldValue_t *field, int64_t value) {
    field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
    field->value.uiVal = (unsigned int)value;
    return NVML_SUCCESS;
}

static nvmlReturn_t put_double(nvmlFieldValue_t *field, double value) {
    field->valueType = NVML_VALUE_TYPE_DOUBLE;
    field->value.dVal = value;
    return NVML_SUCCESS;
}

/* GPU scope is the board, MODULE a Grace superchip; MEMORY exists for average power only. */
static int scope_works(const wl_gpu *gpu, const nvmlFieldValue_t *field) {
    switch (field->scopeId) {
    case NVML_POWER_SCOPE_GPU:
        return (gpu->supports & WL_HAS_SCOPE_GPU) != 0;
    case NVML_POWER_SCOPE_MODULE:
        return (gpu->supports & WL_HAS_SCOPE_MODULE) != 0;
    case NVML_POWER_SCOPE_MEMORY:
        return (gpu->supports & WL_HAS_SCOPE_MEMORY) && field->fieldId == NVML_FI_DEV_POWER_AVERAGE;
    default:
        return 0;
    }
}

static nvmlReturn_t power_field(const wl_device *at, nvmlFieldValue_t *field) {
    const wl_gpu *gpu = at->gpu;
    int64_t mw = 0;
    uint64_t mj = 0;
    nvmlReturn_t code;
    if (!scope_works(gpu, field))
        return NVML_ERROR_NOT_SUPPORTED;
    switch (field->fieldId) {
    case NVML_FI_DEV_POWER_AVERAGE:
        if (!(gpu->supports & WL_HAS_AVERAGE))
            return NVML_ERROR_NOT_SUPPORTED;
        code = wl_power(at, gpu->average_window_ns, &mw);
        /* Memory takes a fifth in this model; that it is less than the board is all a reader may assume. */
        if (field->scopeId == NVML_POWER_SCOPE_MEMORY)
            mw /= 5;
        break;
    case NVML_FI_DEV_POWER_INSTANT:
        code = wl_power(at, gpu->window_ns, &mw);
        break;
    case NVML_FI_DEV_ENERGY:
        code = wl_total_energy(at, &mj);
        return code == NVML_SUCCESS ? put_u64(field, mj) : code;
    default:
        if (!(gpu->supports & WL_HAS_LIMITS))
            return NVML_ERROR_NOT_SUPPORTED;
        code = NVML_SUCCESS;
        mw = field->fieldId == NVML_FI_DEV_POWER_MIN_LIMIT       ? gpu->limit_min_mw
             : field->fieldId == NVML_FI_DEV_POWER_MAX_LIMIT     ? gpu->limit_max_mw
             : field->fieldId == NVML_FI_DEV_POWER_DEFAULT_LIMIT ? gpu->limit_default_mw
                                                                 : gpu->limit_mw;
    }
    return code == NVML_SUCCESS ? put_u32(field, mw) : code;
}

static nvmlReturn_t link_field(const wl_device *at, nvmlFieldValue_t *field) {
    const wl_gpu *gpu = at->gpu;
    const int bytes = field->fieldId == NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES ||
                      field->fieldId == NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES;
    const int send = field->fieldId == NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX ||
                     field->fieldId == NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_TX ||
                     field->fieldId == NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES;
    if (gpu->nvlinks == 0 || (bytes && gpu->architecture < NVML_DEVICE_ARCH_BLACKWELL))
        return NVML_ERROR_NOT_SUPPORTED;
    const uint64_t total = wl_linear_at(send ? &gpu->nvlink_tx : &gpu->nvlink_rx, at->now);
    uint64_t value;
    if (field->scopeId == 0xFFFFFFFFu)
        value = total;
    else if (field->scopeId < gpu->nvlinks) /* the last link carries what does not divide */
        value = total / gpu->nvlinks + (field->scopeId + 1 == gpu->nvlinks ? total % gpu->nvlinks : 0);
    else
        return NVML_ERROR_INVALID_ARGUMENT;
    return put_u64(field, bytes ? value : value / 1024);
}

static nvmlReturn_t health_field(const wl_gpu *gpu, nvmlFieldValue_t *field) {
    switch (field->fieldId) {
    case NVML_FI_DEV_ECC_CURRENT:
    case NVML_FI_DEV_ECC_PENDING:
        return gpu->supports & WL_HAS_ECC ? put_u32(field, 1) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_ECC_SBE_VOL_TOTAL:
    case NVML_FI_DEV_ECC_SBE_AGG_TOTAL:
        return gpu->supports & WL_HAS_ECC ? put_u64(field, gpu->ecc_corrected) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_ECC_DBE_VOL_TOTAL:
    case NVML_FI_DEV_ECC_DBE_AGG_TOTAL:
        return gpu->supports & WL_HAS_ECC ? put_u64(field, gpu->ecc_uncorrected) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_RETIRED_SBE:
        return gpu->supports & WL_HAS_RETIRED ? put_u32(field, gpu->retired_single) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_RETIRED_DBE:
        return gpu->supports & WL_HAS_RETIRED ? put_u32(field, gpu->retired_double) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_RETIRED_PENDING:
        return gpu->supports & WL_HAS_RETIRED ? put_u32(field, gpu->retired_pending) : NVML_ERROR_NOT_SUPPORTED;
    default:
        if (!(gpu->supports & WL_HAS_REMAPPED))
            return NVML_ERROR_NOT_SUPPORTED;
        return put_u32(field, field->fieldId == NVML_FI_DEV_REMAPPED_COR       ? gpu->remapped_corrected
                              : field->fieldId == NVML_FI_DEV_REMAPPED_UNC     ? gpu->remapped_uncorrected
                              : field->fieldId == NVML_FI_DEV_REMAPPED_PENDING ? gpu->remapped_pending
                                                                               : gpu->remapped_failed);
    }
}

static nvmlReturn_t other_field(const wl_device *at, nvmlFieldValue_t *field) {
    const wl_gpu *gpu = at->gpu;
    uint64_t mj = 0;
    nvmlReturn_t code;
    for (int place = 0; place < WL_REASON_COUNTERS; place++)
        if (field->fieldId == reason_fields[place])
            return put_u64(field, wl_linear_at(&gpu->reason_ns[place], at->now));
    switch (field->fieldId) {
    case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
        code = wl_total_energy(at, &mj);
        return code == NVML_SUCCESS ? put_u64(field, mj) : code;
    case NVML_FI_DEV_MEMORY_TEMP:
        return gpu->supports & WL_HAS_MEMORY_TEMP ? put_u32(field, gpu->memory_temperature_mc / 1000)
                                                  : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_GPU_TEMP:
        return gpu->supports & WL_HAS_FINE_TEMP ? put_double(field, (double)gpu->temperature_mc / 1000)
                                                : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_NVLINK_LINK_COUNT:
        return put_u32(field, gpu->nvlinks);
    case NVML_FI_DEV_PCIE_REPLAY_COUNTER:
        return put_u32(field, (int64_t)gpu->pcie_replays);
    case NVML_FI_DEV_PCIE_COUNT_TX_BYTES: /* 32 bits: wraps, as the header warns */
        return gpu->supports & WL_HAS_PCIE_BYTES ? put_u32(field, (int64_t)wl_linear_at(&gpu->pcie_tx, at->now))
                                                 : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_PCIE_COUNT_RX_BYTES:
        return gpu->supports & WL_HAS_PCIE_BYTES ? put_u32(field, (int64_t)wl_linear_at(&gpu->pcie_rx, at->now))
                                                 : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT:
    case NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT:
    case NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT:
    case NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT:
        if (!(gpu->supports & WL_HAS_TLIMIT))
            return NVML_ERROR_NOT_SUPPORTED;
        field->valueType = NVML_VALUE_TYPE_SIGNED_INT;
        field->value.siVal = field->fieldId == NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT ? -8 : -2;
        return NVML_SUCCESS;
    case NVML_FI_DEV_GET_GPU_RECOVERY_ACTION:
        return put_u32(field, 0);
    case NVML_FI_PWR_SMOOTHING_ENABLED:
        return gpu->supports & WL_HAS_SMOOTHING ? put_u32(field, gpu->smoothing_floor_w > 0)
                                                : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_PWR_SMOOTHING_APPLIED_TMP_CEIL:
        return gpu->supports & WL_HAS_SMOOTHING ? put_u32(field, gpu->limit_mw / 1000) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_PWR_SMOOTHING_APPLIED_TMP_FLOOR:
        return gpu->supports & WL_HAS_SMOOTHING ? put_u32(field, gpu->smoothing_floor_w) : NVML_ERROR_NOT_SUPPORTED;
    case NVML_FI_PWR_SMOOTHING_LIMITED_TIME:
        return gpu->supports & WL_HAS_SMOOTHING ? put_u64(field, wl_linear_at(&gpu->smoothing_ns, at->now))
                                                : NVML_ERROR_NOT_SUPPORTED;
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

static nvmlReturn_t one_field(const wl_device *at, nvmlFieldValue_t *field) {
    const wl_gpu *gpu = at->gpu;
    if (field->fieldId == 0 || field->fieldId >= wl->field_limit)
        return (nvmlReturn_t)wl->unknown_field_code;
    for (uint32_t index = 0; index < gpu->field_fault_count && index < WL_FIELD_FAULTS; index++) {
        const wl_field_fault *fault = &gpu->field_faults[index];
        if (fault->code && fault->field == field->fieldId &&
            (fault->scope == 0xFFFFFFFFu || fault->scope == field->scopeId))
            return (nvmlReturn_t)fault->code;
    }
    switch (field->fieldId) {
    case NVML_FI_DEV_POWER_AVERAGE ... NVML_FI_DEV_POWER_REQUESTED_LIMIT:
        return power_field(at, field);
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX ... NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX:
    case NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES:
    case NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES:
        return link_field(at, field);
    case NVML_FI_DEV_ECC_CURRENT ... NVML_FI_DEV_ECC_DBE_AGG_TOTAL:
    case NVML_FI_DEV_RETIRED_SBE ... NVML_FI_DEV_RETIRED_PENDING:
    case NVML_FI_DEV_REMAPPED_COR ... NVML_FI_DEV_REMAPPED_FAILURE:
        return health_field(gpu, field);
    default:
        return other_field(at, field);
    }
}

WL_API nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *fields) {
    static int threads, collisions;
    WL_DEVICE(nvmlDeviceGetFieldValues, device);
    WL_ARGUMENT(fields);
    WL_NEED(count > 0, NVML_ERROR_INVALID_ARGUMENT);
    __atomic_add_fetch(&at.gpu->fields_read, (uint64_t)count, __ATOMIC_RELAXED);
    const int before = __atomic_load_n(&collisions, __ATOMIC_SEQ_CST);
    int alone = __atomic_add_fetch(&threads, 1, __ATOMIC_SEQ_CST) == 1;
    if (!alone)
        __atomic_add_fetch(&collisions, 1, __ATOMIC_SEQ_CST);
    nvmlReturn_t first_failure = NVML_SUCCESS;
    int succeeded = 0;
    for (int index = 0; index < count; index++) {
        nvmlFieldValue_t *field = &fields[index];
        field->timestamp = wl_wall(at.now) / 1000;
        field->latencyUsec = wl->latency_us[WL_FN_nvmlDeviceGetFieldValues];
        field->nvmlReturn = one_field(&at, field);
        if (field->nvmlReturn == NVML_SUCCESS)
            succeeded++;
        else if (first_failure == NVML_SUCCESS)
            first_failure = field->nvmlReturn;
    }
    if (wl->race_window_ns)
        wl_sleep(wl->race_window_ns);
    alone = alone && __atomic_load_n(&collisions, __ATOMIC_SEQ_CST) == before;
    __atomic_sub_fetch(&threads, 1, __ATOMIC_SEQ_CST);
    if (!alone) {
        wl->field_race = 1;
        for (int index = 0; index < count; index++)
            memset(&fields[index].value, 0x5A, sizeof fields[index].value);
    }
    return succeeded ? NVML_SUCCESS : first_failure;
}
