// What several kernels use: dropout's random numbers, bfloat16, sums over a block.
#pragma once
#include "platform.h"

// Threads of a block, where nothing else is said.
#define BLOCK 256
#define WARP 32

// Dropout of one site in one step: see `Dropout` of the Rust side. `scale` is 0 where nothing is dropped.
struct Dropout {
    u64 first_row;
    u32 key[2];
    u32 high[2];
    u32 threshold;
    float scale;
};

// Philox4x32 with ten rounds (Salmon et al. 2011): word `which` of the 128 bits at (key, counter).
DEVICE u32 philox(const u32 key[2], u32 c0, u32 c1, u32 c2, u32 c3, u32 which) {
    u32 k0 = key[0], k1 = key[1];
    // Not unrolled whole: it is in every loop over columns, and the driver has to compile all of it before the first step.
#pragma unroll 2
    for (int round = 0; round < 10; round++) {
        u32 a_high = high_product(c0, 0xD2511F53u), a_low = c0 * 0xD2511F53u;
        u32 b_high = high_product(c2, 0xCD9E8D57u), b_low = c2 * 0xCD9E8D57u;
        c0 = b_high ^ c1 ^ k0;
        c2 = a_high ^ c3 ^ k1;
        c1 = b_low;
        c3 = a_low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return which < 2 ? (which == 0 ? c0 : c1) : (which == 2 ? c2 : c3);
}

// The factor, 0 or 1/(1-p), at place `index` of a mask: of 64 places in a row, 16 counters give the first words, then the second,
// third and fourth.
DEVICE float dropout_factor(const Dropout &d, u64 index) {
    if (d.scale == 0.0f) return 1.0f;
    u32 at = (u32)(index % 64);
    u64 counter = index / 64 * 16 + at % 16;
    u32 bits = philox(d.key, (u32)counter, (u32)(counter >> 32), d.high[0], d.high[1], at / 16);
    return bits >= d.threshold ? d.scale : 0.0f;
}

// The nearest bfloat16, ties to even; a NaN stays one.
DEVICE u16 to_bf16(float x) {
    u32 bits = bits_of(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (u16)(bits >> 16 | 0x40u);
    return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// Writes a number, and its bfloat16 where products want that.
DEVICE void put(float *out, u16 *half, u64 at, float value) {
    out[at] = value;
    if (half) half[at] = to_bf16(value);
}

// Sum over `lanes` neighbouring threads of a warp (a power of two), known to all of them.
template <class T> DEVICE T lanes_sum(T value, u32 lanes) {
    for (u32 mask = lanes / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
    return value;
}

DEVICE float lanes_max(float value, u32 lanes) {
    for (u32 mask = lanes / 2; mask > 0; mask /= 2) {
        float other = shuffle_xor(value, mask);
        value = other > value ? other : value;
    }
    return value;
}

// Sum over all threads of a block, known to all of them; `shared` holds a number for each warp.
template <class T> DEVICE T block_sum(T value, T *shared) {
    value = lanes_sum(value, WARP);
    sync_block(); // whoever still reads an earlier sum
    if (THREAD % WARP == 0) shared[THREAD / WARP] = value;
    sync_block();
    T sum = shared[0];
    for (u32 warp = 1; warp < THREADS / WARP; warp++) sum += shared[warp];
    return sum;
}
