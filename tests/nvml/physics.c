/* True power in closed form, and what the firmware publishes of it. published.py is the same in Python;
 * both use integers only, so they agree to the last digit. */
#include <pthread.h>

#include "internal.h"

static int64_t floor_div(int64_t value, int64_t by) {
    const int64_t quotient = value / by;
    return value % by < 0 ? quotient - 1 : quotient;
}

static int64_t least(int64_t left, int64_t right) {
    return left < right ? left : right;
}

static wl_pj segment_energy(const wl_segment *segment, int64_t elapsed) {
    if (segment->period_ns == 0)
        return (wl_pj)segment->high_mw * elapsed;
    const int64_t whole = elapsed / segment->period_ns, rest = elapsed % segment->period_ns;
    const int64_t high = whole * segment->on_ns + least(rest, segment->on_ns);
    return (wl_pj)segment->high_mw * high + (wl_pj)segment->low_mw * (elapsed - high);
}

/* Energy from the origin of the trace to t. */
wl_pj wl_energy(const wl_gpu *gpu, int64_t t) {
    wl_pj energy;
    uint32_t begun;
    do {
        begun = wl_read_begin(&gpu->trace_seq);
        uint32_t low = 0, high = gpu->segment_count < WL_SEGMENTS ? gpu->segment_count : WL_SEGMENTS;
        while (low < high) { /* the first segment that starts after t */
            const uint32_t middle = (low + high) / 2;
            if (gpu->segments[middle].start_ns <= t)
                low = middle + 1;
            else
                high = middle;
        }
        energy = 0;
        if (low > 0) {
            const wl_segment *segment = &gpu->segments[low - 1];
            energy = (wl_pj)segment->sum_mj * WL_NS + segment->sum_pj +
                     segment_energy(segment, t - segment->start_ns);
        }
    } while (wl_read_retry(&gpu->trace_seq, begun));
    return energy;
}

/* splitmix64's finaliser: jitter and noise are functions of the board and the update, not of the call. */
static uint64_t mix(uint64_t seed, int64_t number) {
    uint64_t z = seed + (uint64_t)number * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

int64_t wl_update_time(const wl_gpu *gpu, int64_t number) {
    int64_t jitter = 0;
    if (wl->noise && gpu->jitter_ns)
        jitter = (int64_t)(mix(gpu->seed, number) % (uint64_t)(gpu->jitter_ns + 1));
    return gpu->phase_ns + number * gpu->update_ns + jitter;
}

int64_t wl_update_at(const wl_gpu *gpu, int64_t t) {
    const int64_t number = floor_div(t - gpu->phase_ns, gpu->update_ns);
    return wl_update_time(gpu, number) <= t ? number : number - 1;
}

int64_t wl_util_update(const wl_gpu *gpu, int64_t t) {
    return gpu->phase_ns + floor_div(t - gpu->phase_ns, gpu->util_period_ns) * gpu->util_period_ns;
}

int64_t wl_published(const wl_gpu *gpu, int64_t window, int64_t t) {
    const int64_t number = wl_update_at(gpu, t);
    const int64_t end = wl_update_time(gpu, number) - gpu->lag_ns;
    const int64_t mean = (int64_t)((wl_energy(gpu, end) - wl_energy(gpu, end - window)) / window);
    int64_t reading = mean * gpu->gain_ppm / 1000000 + gpu->offset_mw;
    if (wl->noise && gpu->noise_mw) {
        /* Four uniform draws of 0..65535: nearly normal, mean 2 * 65535, sd 65535 / sqrt(3) = 37837. */
        const uint64_t z = mix(~gpu->seed, number);
        const int64_t sum = (int64_t)((z & 0xFFFF) + ((z >> 16) & 0xFFFF) + ((z >> 32) & 0xFFFF) + (z >> 48));
        reading += (sum - 2 * 0xFFFF) * gpu->noise_mw / 37837;
    }
    if (reading <= 0)
        return 0;
    return (reading + gpu->quantum_mw / 2) / gpu->quantum_mw * gpu->quantum_mw;
}

/* The sum of the samples since samples_from_ns has no closed form for square waves; each process goes on
 * from where it last was. A step back of the clock or a new start begins again. */
static wl_pj samples_energy(const wl_gpu *gpu, int slot, int64_t tick) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        int64_t from, next;
        wl_pj total;
    } caches[WL_GPUS], *cache;
    pthread_mutex_lock(&lock);
    cache = &caches[slot];
    if (cache->from != gpu->samples_from_ns || cache->next == 0 || wl_update_time(gpu, cache->next - 1) > tick) {
        cache->from = gpu->samples_from_ns;
        cache->next = wl_update_at(gpu, cache->from) + 1;
        cache->total = 0;
    }
    for (int64_t time; (time = wl_update_time(gpu, cache->next)) <= tick; cache->next++) {
        const int64_t end = time - gpu->lag_ns;
        const wl_pj window = wl_energy(gpu, end) - wl_energy(gpu, end - gpu->window_ns);
        cache->total += window / gpu->window_ns * gpu->update_ns;
    }
    const wl_pj total = cache->total;
    pthread_mutex_unlock(&lock);
    return total;
}

uint64_t wl_counter(const wl_gpu *gpu, int slot, int64_t t) {
    const int64_t ticks = floor_div(t - gpu->counter_phase_ns, gpu->tau_ns);
    const int64_t tick = gpu->counter_phase_ns + ticks * gpu->tau_ns;
    wl_pj mj;
    uint32_t begun;
    do {
        begun = wl_read_begin(&gpu->trace_seq);
        const wl_pj epoch = (wl_pj)gpu->epoch_mj * WL_NS + gpu->epoch_pj;
        wl_pj energy;
        if (gpu->samples_from_ns >= 0 && gpu->samples_from_ns < tick)
            energy = wl_energy(gpu, gpu->samples_from_ns) - epoch + samples_energy(gpu, slot, tick);
        else
            energy = wl_energy(gpu, tick) - epoch;
        energy = energy * gpu->gain_ppm / 1000000 + (wl_pj)gpu->offset_mw * (tick - gpu->epoch_ns);
        mj = tick <= gpu->epoch_ns ? 0 : energy * gpu->counter_gain_ppm / 1000000 / WL_NS;
    } while (wl_read_retry(&gpu->trace_seq, begun));
    return mj < 0 ? 0 : (uint64_t)mj;
}

int64_t wl_step_at(const wl_step *step, int64_t update) {
    return update >= step->since_ns ? step->after : step->before;
}

uint64_t wl_linear_at(const wl_linear *counter, int64_t t) {
    const int64_t elapsed = t - counter->since_ns;
    if (elapsed <= 0)
        return counter->base;
    return counter->base + (uint64_t)((unsigned __int128)counter->per_second * (uint64_t)elapsed / WL_NS);
}
