/* What a board is: names, numbers, places. */
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

WL_API nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
    WL_DEVICE(nvmlDeviceGetName, device);
    char text[160];
    if (at.mig != NULL)
        snprintf(text, sizeof text, "%s MIG %s", at.gpu->name, at.mig->profile);
    else
        snprintf(text, sizeof text, "%s", at.gpu->name);
    return copy(text, name, length);
}

WL_API nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) {
    WL_DEVICE(nvmlDeviceGetUUID, device);
    return copy(at.mig != NULL ? at.mig->uuid : at.gpu->uuid, uuid, length);
}

WL_API nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned int length) {
    WL_DEVICE(nvmlDeviceGetSerial, device);
    WL_SUPPORTS(WL_HAS_SERIAL);
    return copy(at.gpu->serial, serial, length);
}

WL_API nvmlReturn_t nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char *version, unsigned int length) {
    WL_DEVICE(nvmlDeviceGetVbiosVersion, device);
    return copy(at.gpu->vbios, version, length);
}

WL_API nvmlReturn_t nvmlDeviceGetBoardPartNumber(nvmlDevice_t device, char *number, unsigned int length) {
    WL_DEVICE(nvmlDeviceGetBoardPartNumber, device);
    WL_NEED(at.gpu->part_number[0], NVML_ERROR_NOT_SUPPORTED);
    return copy(at.gpu->part_number, number, length);
}

WL_API nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *version) {
    WL_DEVICE(nvmlDeviceGetGspFirmwareVersion, device);
    WL_ARGUMENT(version);
    WL_NEED(at.gpu->architecture >= NVML_DEVICE_ARCH_TURING, NVML_ERROR_NOT_SUPPORTED);
    strcpy(version, wl->driver_version);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
    WL_DEVICE(nvmlDeviceGetPciInfo_v3, device);
    WL_ARGUMENT(pci);
    memset(pci, 0, sizeof *pci);
    pci->domain = at.gpu->pci_domain;
    pci->bus = at.gpu->pci_bus;
    pci->device = at.gpu->pci_device;
    pci->pciDeviceId = at.gpu->pci_device_id;
    pci->pciSubSystemId = at.gpu->pci_subsystem_id;
    snprintf(pci->busId, sizeof pci->busId, "%s", at.gpu->bus_id);
    /* The legacy form has four digits of domain. */
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%.12s", at.gpu->bus_id + 4);
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index) {
    WL_DEVICE(nvmlDeviceGetIndex, device);
    WL_ARGUMENT(index);
    *index = (unsigned int)(at.mig != NULL ? at.mig_index : wl_slot_shown(at.slot));
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *architecture) {
    WL_DEVICE(nvmlDeviceGetArchitecture, device);
    WL_ARGUMENT(architecture);
    *architecture = at.gpu->architecture;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
    WL_DEVICE(nvmlDeviceGetCudaComputeCapability, device);
    WL_ARGUMENT(major);
    WL_ARGUMENT(minor);
    *major = (int)at.gpu->cc_major;
    *minor = (int)at.gpu->cc_minor;
    return NVML_SUCCESS;
}

WL_API nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, nvmlBrandType_t *brand) {
    WL_DEVICE(nvmlDeviceGetBrand, device);
    WL_ARGUMENT(brand);
    *brand = (nvmlBrandType_t)at.gpu->brand;
    return NVML_SUCCESS;
}

/* Functions that hand out one number of the board. */
#define WL_NUMBER(name, type, expression)                                                \
    WL_API nvmlReturn_t name(nvmlDevice_t device, type *value) {                         \
        WL_DEVICE(name, device);                                                         \
        WL_ARGUMENT(value);                                                              \
        *value = (expression);                                                           \
        return NVML_SUCCESS;                                                             \
    }

WL_NUMBER(nvmlDeviceGetMinorNumber, unsigned int, at.gpu->minor)
WL_NUMBER(nvmlDeviceGetBoardId, unsigned int, at.gpu->pci_bus << 8)
WL_NUMBER(nvmlDeviceGetModuleId, unsigned int, (unsigned int)at.slot)
WL_NUMBER(nvmlDeviceGetNumaNodeId, unsigned int, (unsigned int)at.slot / 4)
WL_NUMBER(nvmlDeviceGetNumGpuCores, unsigned int, at.gpu->cores)
WL_NUMBER(nvmlDeviceGetMemoryBusWidth, unsigned int, at.gpu->bus_width)
WL_NUMBER(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, (nvmlEnableState_t)at.gpu->persistence)
WL_NUMBER(nvmlDeviceGetComputeMode, nvmlComputeMode_t, NVML_COMPUTEMODE_DEFAULT)
WL_NUMBER(nvmlDeviceGetDisplayActive, nvmlEnableState_t, NVML_FEATURE_DISABLED)
WL_NUMBER(nvmlDeviceGetDisplayMode, nvmlEnableState_t, NVML_FEATURE_DISABLED)
WL_NUMBER(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t,
          (nvmlGpuVirtualizationMode_t)at.gpu->virtualization)
