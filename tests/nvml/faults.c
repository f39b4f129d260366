/* Calls that fail, hang, crash or lie, by the rules in the control file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

void wl_sleep(int64_t ns) {
    struct timespec left = {ns / WL_NS, ns % WL_NS};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Take one of the calls a fault has left; 0 when it is used up. */
static int take(wl_fault *fault) {
    int64_t left = __atomic_load_n(&fault->remaining, __ATOMIC_ACQUIRE);
    while (left > 0)
        if (__atomic_compare_exchange_n(&fault->remaining, &left, left - 1, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return 1;
    return left < 0;
}

static int64_t monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * WL_NS + time.tv_nsec;
}

/* In short sleeps, so that the hang ends soon after the test clears it. */
static void hang(const wl_fault *fault) {
    const int64_t end = fault->hang_ns < 0 ? INT64_MAX : monotonic() + fault->hang_ns;
    __atomic_add_fetch(&wl->hanging, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&fault->kind, __ATOMIC_ACQUIRE) == WL_FAULT_HANG) {
        const int64_t left = end - monotonic();
        if (left <= 0)
            break;
        wl_sleep(left < 5000000 ? left : 5000000);
    }
    __atomic_sub_fetch(&wl->hanging, 1, __ATOMIC_SEQ_CST);
}

/* On a frozen filesystem the open or the write sits in uninterruptible sleep, as a driver call does. */
static void hang_in_kernel(const wl_fault *fault) {
    __atomic_add_fetch(&wl->hanging, 1, __ATOMIC_SEQ_CST);
    const int file = open(fault->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) {
        if (write(file, "x", 1) == 1)
            fsync(file);
        close(file);
    }
    __atomic_sub_fetch(&wl->hanging, 1, __ATOMIC_SEQ_CST);
}

static int *volatile nowhere; /* volatile, or the compiler sees through the crash */

nvmlReturn_t wl_faults(int function, int slot) {
    for (uint32_t index = 0; index < wl->fault_count && index < WL_FAULTS; index++) {
        wl_fault *fault = &wl->faults[index];
        const uint32_t kind = __atomic_load_n(&fault->kind, __ATOMIC_ACQUIRE);
        if (kind == WL_FAULT_NONE || kind >= WL_FAULT_POWER_SET)
            continue;
        if ((fault->slot >= 0 && fault->slot != slot) || (fault->function >= 0 && fault->function != function))
            continue;
        if (!take(fault))
            continue;
        switch (kind) {
        case WL_FAULT_RETURN:
            return (nvmlReturn_t)fault->code;
        case WL_FAULT_HANG:
            hang(fault);
            break;
        case WL_FAULT_UNKILLABLE:
            hang_in_kernel(fault);
            break;
        case WL_FAULT_SEGV:
            *nowhere = 0;
            break;
        case WL_FAULT_ABORT:
            abort();
        }
    }
    return NVML_SUCCESS;
}

/* Whether a reading of this kind is to be false now, and the value it is false by. */
int wl_data_fault(int slot, uint32_t kind, int64_t *value) {
    for (uint32_t index = 0; index < wl->fault_count && index < WL_FAULTS; index++) {
        wl_fault *fault = &wl->faults[index];
        if (__atomic_load_n(&fault->kind, __ATOMIC_ACQUIRE) != kind)
            continue;
        if (fault->slot >= 0 && fault->slot != slot)
            continue;
        if (!take(fault))
            continue;
        *value = fault->value;
        return 1;
    }
    return 0;
}
