/* Calls about the driver, and the texts of the return codes. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

static nvmlReturn_t copy(const char *text, char *to, unsigned int length) {
    WL_ARGUMENT(to);
    if (strlen(text) + 1 > length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(to, text);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length) {
    WL_SYSTEM(nvmlSystemGetDriverVersion);
    return copy(wl->driver_version, version, length);
}

WL_API nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length) {
    WL_SYSTEM(nvmlSystemGetNVMLVersion);
    return copy(wl->nvml_version, version, length);
}

WL_API nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
    WL_SYSTEM(nvmlSystemGetCudaDriverVersion);
    WL_ARGUMENT(version);
    *version = wl->cuda_version;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    WL_SYSTEM(nvmlSystemGetCudaDriverVersion_v2);
    WL_ARGUMENT(version);
    *version = wl->cuda_version;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length) {
    WL_SYSTEM(nvmlSystemGetProcessName);
    char text[32];
    snprintf(text, sizeof text, "/usr/bin/process-%u", pid);
    return copy(text, name, length);
}

WL_API nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *state) {
    WL_SYSTEM(nvmlSystemGetConfComputeState);
    WL_ARGUMENT(state);
    *state = (nvmlConfComputeSystemState_t){0};
    state->ccFeature = wl->conf_compute;
    return NVML_SUCCESS;
}

WL_API const char *nvmlErrorString(nvmlReturn_t result) {
    static const struct {
        nvmlReturn_t code;
        const char *text;
    } texts[] = {
        {NVML_SUCCESS, "Success"},
        {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
        {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
        {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
        {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
        {NVML_ERROR_NOT_FOUND, "Not Found"},
        {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
        {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
        {NVML_ERROR_TIMEOUT, "Timeout"},
        {NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found"},
        {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
        {NVML_ERROR_RESET_REQUIRED, "GPU requires reset"},
        {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"},
        {NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "Version mismatch"},
        {NVML_ERROR_UNKNOWN, "Unknown Error"},
    };
    for (size_t index = 0; index < sizeof texts / sizeof *texts; index++)
        if (texts[index].code == result)
            return texts[index].text;
    return "Other Error";
}
