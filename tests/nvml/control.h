/* The control file: one mapped struct, written by the tests and read by every process that loaded the
 * double. layout.py holds the same structs; the build asserts each offset, so the two cannot drift. */
#ifndef WL_CONTROL_H
#define WL_CONTROL_H

#include <stdint.h>

#define WL_MAGIC 0x4c4d564e52545457ULL
#define WL_GPUS 16
#define WL_SEGMENTS 1024
#define WL_PROCESSES 512
#define WL_MIGS 8
#define WL_FAULTS 64
#define WL_FIELD_FAULTS 32
#define WL_EVENTS 64
#define WL_GPM_VALUES 64
#define WL_FUNCTIONS 160
#define WL_REASON_COUNTERS 10
#define WL_NVLINKS 18

/* What a board supports (wl_gpu.supports). */
#define WL_HAS_ENERGY 0x1u
#define WL_HAS_AVERAGE 0x2u
#define WL_HAS_SCOPE_GPU 0x4u
#define WL_HAS_SCOPE_MODULE 0x8u
#define WL_HAS_SCOPE_MEMORY 0x10u
#define WL_HAS_MEMORY_TEMP 0x20u
#define WL_HAS_GPM 0x40u
#define WL_HAS_ECC 0x80u
#define WL_HAS_MIG 0x100u
#define WL_HAS_FAN 0x200u
#define WL_HAS_NVLINK 0x400u
#define WL_HAS_SMOOTHING 0x800u
#define WL_HAS_FINE_TEMP 0x1000u
#define WL_HAS_RETIRED 0x2000u
#define WL_HAS_REMAPPED 0x4000u
#define WL_HAS_TLIMIT 0x8000u
#define WL_HAS_MEMORY_INFO 0x10000u
#define WL_HAS_LIMITS 0x20000u
#define WL_HAS_SERIAL 0x40000u
#define WL_HAS_PCIE_BYTES 0x80000u
#define WL_HAS_POWER 0x100000u
#define WL_HAS_MEM_CLOCK 0x200000u

enum { WL_CLOCK_VIRTUAL = 0, WL_CLOCK_REAL = 1 };
enum { WL_DRIVER_LOADED = 0, WL_DRIVER_ABSENT = 1, WL_DRIVER_MISMATCH = 2, WL_DRIVER_UNKNOWN = 3 };
enum { WL_KIND_COMPUTE = 1, WL_KIND_GRAPHICS = 2, WL_KIND_MPS = 4 };
enum {
    WL_FAULT_NONE = 0,
    WL_FAULT_RETURN = 1,
    WL_FAULT_HANG = 2,
    WL_FAULT_UNKILLABLE = 3,
    WL_FAULT_SEGV = 4,
    WL_FAULT_ABORT = 5,
    WL_FAULT_POWER_SET = 6,
    WL_FAULT_ENERGY_SET = 7,
    WL_FAULT_ENERGY_ADD = 8
};

/* period_ns 0 is a constant of high_mw; else high for on_ns, then low, from start_ns on.
 * sum_* is the energy from the trace's origin to start_ns, in mJ plus pJ below one mJ (1 mW*ns = 1 pJ). */
typedef struct {
    int64_t start_ns, period_ns, on_ns, high_mw, low_mw;
    uint64_t sum_mj, sum_pj;
} wl_segment;

/* A value that changes once: readers see it at the first update at or after since_ns. */
typedef struct {
    int64_t since_ns;
    int64_t before, after;
} wl_step;

/* A cumulative counter: base + rate * (t - since). */
typedef struct {
    int64_t since_ns;
    uint64_t base, per_second;
} wl_linear;

typedef struct {
    uint32_t pid, kinds, gpu_instance, compute_instance;
    uint64_t memory_bytes;
    int64_t start_ns;
    uint32_t sm, memory, encoder, decoder;
} wl_process;

typedef struct {
    char uuid[96], profile[32];
    uint32_t gpu_instance, compute_instance, profile_id, slices, sm_count, copy_engines, decoders, spare;
    uint64_t memory_total, memory_used;
} wl_mig;

/* One GPM metric of the board (mig -1) or an instance; sum is its integral in value*ns up to since_ns. */
typedef struct {
    int32_t metric, mig;
    int64_t since_ns;
    double value, sum;
} wl_gpm_value;

typedef struct {
    uint32_t field, scope; /* scope 0xffffffff: any */
    int32_t code, spare;
} wl_field_fault;

typedef struct {
    uint64_t type, data;
    uint32_t gpu_instance, compute_instance;
} wl_event;

typedef struct {
    uint32_t kind;
    int32_t slot, function, code; /* slot -1: everything; function -1: all */
    int64_t remaining;            /* calls left; -1: until cleared */
    int64_t hang_ns;              /* -1: until cleared */
    int64_t value;
    char path[256];
} wl_fault;

typedef struct {
    char uuid[96], name[96], serial[32], vbios[32], part_number[32], bus_id[32], rtd3_path[256];
    uint32_t pci_domain, pci_bus, pci_device, pci_device_id, pci_subsystem_id, minor;
    uint32_t architecture, brand, cc_major, cc_minor, cores, bus_width, virtualization, supports;

    /* Publication of power (ns; mW). */
    int64_t update_ns, window_ns, average_window_ns, usage_window_ns, lag_ns, phase_ns, jitter_ns;
    int64_t quantum_mw, noise_mw, gain_ppm, offset_mw;
    uint64_t seed;

    /* The energy counter. */
    int64_t tau_ns, counter_phase_ns, counter_gain_ppm, epoch_ns;
    uint64_t epoch_mj, epoch_pj;
    int64_t samples_from_ns; /* >= 0: from here on it adds up samples instead of true power */

    int64_t util_period_ns;
    wl_step sm_clock, mem_clock, util_gpu, util_memory, util_encoder, util_decoder, pstate;
    uint32_t max_sm_clock, max_mem_clock;
    int64_t temperature_mc, memory_temperature_mc;
    int64_t limit_min_mw, limit_max_mw, limit_default_mw, limit_mw;
    int64_t smoothing_floor_w;
    uint64_t memory_total, memory_reserved, memory_used, bar1_total, bar1_used;
    uint64_t reasons;
    int32_t reasons_fixed; /* 0: the GpuIdle bit follows utilisation */
    uint32_t fan_percent, pcie_gen, pcie_width, pcie_max_gen, pcie_max_width, nvlinks, persistence;
    wl_linear reason_ns[WL_REASON_COUNTERS];
    wl_linear pcie_tx, pcie_rx, nvlink_tx, nvlink_rx, smoothing_ns;
    uint64_t pcie_replays, ecc_corrected, ecc_uncorrected;
    uint32_t remapped_corrected, remapped_uncorrected, remapped_pending, remapped_failed;
    uint32_t retired_single, retired_double, retired_pending, nvlinks_down; /* a bit for each link */

    /* Lists under list_seq: odd while the test rewrites them. */
    uint32_t list_seq, trace_seq;
    uint32_t segment_count, process_count, mig_count, gpm_count, field_fault_count;
    uint32_t mig_enabled, mig_generation, asleep;
    wl_process processes[WL_PROCESSES];
    wl_mig migs[WL_MIGS];
    wl_gpm_value gpm[WL_GPM_VALUES];
    wl_field_fault field_faults[WL_FIELD_FAULTS];
    wl_event events[WL_EVENTS];
    uint64_t event_count; /* event n lies in events[n % WL_EVENTS] */

    /* Written by the library. */
    uint64_t calls[WL_FUNCTIONS], fields_read, wakes;

    wl_segment segments[WL_SEGMENTS];
} wl_gpu;

typedef struct {
    uint64_t magic, size;
    int64_t now_ns, wall_offset_ns;
    uint32_t clock_mode, driver_state, gpu_count, order_count;
    uint32_t order[WL_GPUS];
    char driver_version[80], nvml_version[80];
    int32_t cuda_version;
    uint32_t field_limit; /* ids from here on are unknown to this driver */
    int32_t unknown_field_code;
    uint32_t samples_epoch, samples_not_found, samples_fixed_size, samples_garbage;
    uint32_t conf_compute, noise;
    int64_t race_window_ns;
    uint8_t removed[WL_FUNCTIONS];
    uint32_t latency_us[WL_FUNCTIONS];
    uint32_t fault_count, event_seq;
    wl_fault faults[WL_FAULTS];

    /* Written by the library. */
    uint64_t calls[WL_FUNCTIONS];
    uint32_t field_race, peak_concurrency, fork_misuse, hanging;

    wl_gpu gpus[WL_GPUS];
} wl_control;

#endif
