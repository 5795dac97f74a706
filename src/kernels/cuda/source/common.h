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

// Philox4x32 with ten rounds (Salmon et al. 2011): the 128 bits at (key, counter).
DEVICE void philox(const u32 key[2], u32 c0, u32 c1, u32 c2, u32 c3, u32 *words) {
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
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

// The factors, 0 or 1/(1-p), at places `index`, `index` + 16, … (N of them) of a mask, all in one 64 of its places: there, 16
// counters give the first words, then the second, third and fourth.
template <int N> DEVICE void dropout_factors(const Dropout &d, u64 index, float *factors) {
    u32 words[4], at = (u32)(index % 64);
    for (int i = 0; i < N; i++) factors[i] = 1.0f;
    if (d.scale == 0.0f) return;
    u64 counter = index / 64 * 16 + at % 16;
    philox(d.key, (u32)counter, (u32)(counter >> 32), d.high[0], d.high[1], words);
#pragma unroll
    for (int i = 0; i < N; i++) {
        u32 which = at / 16 + i; // not an index: what is not known to the compiler has no register
        u32 bits = which < 2 ? (which == 0 ? words[0] : words[1]) : (which == 2 ? words[2] : words[3]);
        factors[i] = bits >= d.threshold ? d.scale : 0.0f;
    }
}

DEVICE float dropout_factor(const Dropout &d, u64 index) {
    float factor;
    dropout_factors<1>(d, index, &factor);
    return factor;
}

// What a step adds up.
struct Sums {
    double loss;
    double squares;
};

// Four numbers that lie together at a multiple of 16 bytes, which is one access to memory.
struct alignas(16) Four {
    float at[4];
};

DEVICE Four &four(float *at) { return *(Four *)at; }
DEVICE const Four &four(const float *at) { return *(const Four *)at; }

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
