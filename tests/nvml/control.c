/* The control file, the clock, and what every call passes on its way in and out. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

wl_control *wl;

static int initialised;      /* nvmlInit calls not yet shut down */
static pid_t initialised_by; /* NVML state does not survive fork */
static int inside;           /* threads of this process in the library */

nvmlReturn_t wl_attach(void) {
    if (wl == NULL) {
        const char *path = getenv("WATTLEDGER_NVML_DOUBLE");
        if (path == NULL) {
            fprintf(stderr, "nvml double: WATTLEDGER_NVML_DOUBLE is not set\n");
            return NVML_ERROR_DRIVER_NOT_LOADED;
        }
        int file = open(path, O_RDWR | O_CLOEXEC);
        struct stat status;
        if (file < 0 || fstat(file, &status) != 0 || status.st_size < (off_t)sizeof(wl_control)) {
            fprintf(stderr, "nvml double: %s: not a control file of %zu bytes\n", path, sizeof(wl_control));
            if (file >= 0)
                close(file);
            return NVML_ERROR_DRIVER_NOT_LOADED;
        }
        wl_control *map = mmap(NULL, sizeof(wl_control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
        if (map == MAP_FAILED || map->magic != WL_MAGIC || map->size != sizeof(wl_control)) {
            fprintf(stderr, "nvml double: %s: of another build\n", path);
            return NVML_ERROR_DRIVER_NOT_LOADED;
        }
        wl = map;
    }
    return NVML_SUCCESS;
}

static nvmlReturn_t driver_state(void) {
    switch (wl->driver_state) {
    case WL_DRIVER_ABSENT:
        return NVML_ERROR_DRIVER_NOT_LOADED;
    case WL_DRIVER_MISMATCH:
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    case WL_DRIVER_UNKNOWN:
        return NVML_ERROR_UNKNOWN;
    default:
        return NVML_SUCCESS;
    }
}

static nvmlReturn_t init(wl_call *call) {
    nvmlReturn_t code = wl_attach();
    if (code != NVML_SUCCESS)
        return code;
    if (initialised_by != getpid()) {
        initialised = 0;
        __atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
        initialised_by = getpid();
    }
    /* wl_enter needs an initialised library; this call makes it one. */
    __atomic_add_fetch(&initialised, 1, __ATOMIC_SEQ_CST);
    code = wl_enter(call, -1);
    if (code == NVML_SUCCESS)
        code = driver_state();
    if (code != NVML_SUCCESS)
        __atomic_sub_fetch(&initialised, 1, __ATOMIC_SEQ_CST);
    return code;
}

WL_API nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
    (void)flags;
    wl_call call __attribute__((cleanup(wl_leave))) = {WL_FN_nvmlInitWithFlags, 0};
    return init(&call);
}

WL_API nvmlReturn_t nvmlInit_v2(void) {
    wl_call call __attribute__((cleanup(wl_leave))) = {WL_FN_nvmlInit_v2, 0};
    return init(&call);
}

WL_API nvmlReturn_t nvmlShutdown(void) {
    WL_SYSTEM(nvmlShutdown);
    __atomic_sub_fetch(&initialised, 1, __ATOMIC_SEQ_CST);
    return NVML_SUCCESS;
}

nvmlReturn_t wl_enter(wl_call *call, int slot) {
    if (wl == NULL || __atomic_load_n(&initialised, __ATOMIC_SEQ_CST) == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (initialised_by != getpid()) {
        wl->fork_misuse = 1;
        return NVML_ERROR_UNKNOWN;
    }
    const int function = call->function;
    __atomic_add_fetch(&wl->calls[function], 1, __ATOMIC_RELAXED);
    if (slot >= 0)
        __atomic_add_fetch(&wl->gpus[slot].calls[function], 1, __ATOMIC_RELAXED);
    /* The event thread waits by design; everything else counts as a thread inside. */
    if (function != WL_FN_nvmlEventSetWait_v2) {
        call->inside = 1;
        const uint32_t threads = (uint32_t)__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        uint32_t peak = __atomic_load_n(&wl->peak_concurrency, __ATOMIC_RELAXED);
        while (threads > peak && !__atomic_compare_exchange_n(&wl->peak_concurrency, &peak, threads, 0,
                                                              __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            ;
    }
    if (wl->removed[function])
        return NVML_ERROR_FUNCTION_NOT_FOUND;
    if (wl->latency_us[function])
        wl_sleep((int64_t)wl->latency_us[function] * 1000);
    return wl->fault_count ? wl_faults(function, slot) : NVML_SUCCESS;
}

void wl_leave(wl_call *call) {
    if (call->inside)
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
}

int64_t wl_now(void) {
    if (wl->clock_mode == WL_CLOCK_VIRTUAL)
        return __atomic_load_n(&wl->now_ns, __ATOMIC_ACQUIRE);
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec * WL_NS + time.tv_nsec;
}

int64_t wl_wall(int64_t now) {
    if (wl->clock_mode == WL_CLOCK_VIRTUAL)
        return now + wl->wall_offset_ns;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * WL_NS + time.tv_nsec;
}

/* A sequence is odd while the test rewrites what it guards. A test that died in the middle must not
 * hang its children: after two seconds the reader takes what is there. */
uint32_t wl_read_begin(const uint32_t *sequence) {
    uint32_t begun;
    for (int tries = 0; ((begun = __atomic_load_n(sequence, __ATOMIC_ACQUIRE)) & 1) && tries < 20000; tries++)
        wl_sleep(100000);
    return begun;
}

int wl_read_retry(const uint32_t *sequence, uint32_t begun) {
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return !(begun & 1) && __atomic_load_n(sequence, __ATOMIC_RELAXED) != begun;
}
