/* What the parts of the library share: entering a call, reading the clock and the physics. */
#ifndef WL_INTERNAL_H
#define WL_INTERNAL_H

#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"

#define WL_API __attribute__((visibility("default")))
#define WL_NS 1000000000LL
#define WL_NO_INSTANCE 0xFFFFFFFFu

typedef __int128 wl_pj; /* energy: 1 mW * 1 ns */

enum wl_function {
#define WL_FN(name) WL_FN_##name,
#include "functions.def"
#undef WL_FN
    WL_FN_COUNT
};

/* A handle: the board (mig -1) or one instance of one layout of it. Interned, so equal things are equal. */
struct nvmlDevice_st {
    int slot, mig;
    uint32_t generation;
};

/* One call in progress on a board. `now` is read once, so that everything in a call is of one instant. */
typedef struct {
    wl_gpu *gpu;
    const wl_mig *mig; /* NULL for the board itself */
    int slot, mig_index;
    int64_t now;
} wl_device;

typedef struct {
    int function;
    int inside;
} wl_call;

/* control.c */
extern wl_control *wl;
nvmlReturn_t wl_enter(wl_call *call, int slot);
nvmlReturn_t wl_open(wl_call *call, nvmlDevice_t handle, wl_device *device);
void wl_leave(wl_call *call);
nvmlReturn_t wl_attach(void);
int64_t wl_now(void);
int64_t wl_wall(int64_t now);
uint32_t wl_read_begin(const uint32_t *sequence);
int wl_read_retry(const uint32_t *sequence, uint32_t begun);

/* faults.c */
nvmlReturn_t wl_faults(int function, int slot);
int wl_data_fault(int slot, uint32_t kind, int64_t *value);
void wl_sleep(int64_t ns);

/* handles.c */
nvmlDevice_t wl_handle(int slot, int mig);
int wl_slot_shown(int slot);

/* physics.c */
wl_pj wl_energy(const wl_gpu *gpu, int64_t t);
int64_t wl_update_time(const wl_gpu *gpu, int64_t number);
int64_t wl_update_at(const wl_gpu *gpu, int64_t t);
int64_t wl_util_update(const wl_gpu *gpu, int64_t t);
int64_t wl_published(const wl_gpu *gpu, int64_t window, int64_t t);
uint64_t wl_counter(const wl_gpu *gpu, int slot, int64_t t);
int64_t wl_step_at(const wl_step *step, int64_t update);
uint64_t wl_linear_at(const wl_linear *counter, int64_t t);

/* power.c */
nvmlReturn_t wl_power(const wl_device *at, int64_t window, int64_t *mw);
nvmlReturn_t wl_total_energy(const wl_device *at, uint64_t *mj);

/* activity.c */
uint64_t wl_reasons(const wl_device *at);

/* Enter a function; WL_DEVICE also opens the handle as `at`. Leaving is tied to the scope. */
#define WL_SYSTEM(name)                                                                  \
    wl_call call __attribute__((cleanup(wl_leave))) = {WL_FN_##name, 0};                 \
    nvmlReturn_t entered = wl_enter(&call, -1);                                          \
    if (entered != NVML_SUCCESS)                                                         \
    return entered

#define WL_DEVICE(name, handle)                                                          \
    wl_call call __attribute__((cleanup(wl_leave))) = {WL_FN_##name, 0};                 \
    wl_device at;                                                                        \
    nvmlReturn_t entered = wl_open(&call, (handle), &at);                                \
    if (entered != NVML_SUCCESS)                                                         \
    return entered

#define WL_NEED(condition, code)                                                         \
    if (!(condition))                                                                    \
    return (code)

#define WL_ARGUMENT(pointer) WL_NEED((pointer) != NULL, NVML_ERROR_INVALID_ARGUMENT)
#define WL_SUPPORTS(flag) WL_NEED(at.gpu->supports & (flag), NVML_ERROR_NOT_SUPPORTED)

#endif
