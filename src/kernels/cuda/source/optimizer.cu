// The squares of the gradient, and AdamW (Loshchilov & Hutter 2019), without the host in between.
#include "common.h"

struct Squares {
    double *partial; // one number for each block
    const float *x;
    u64 len;
};

KERNEL(squares, Squares) {
    SHARED(double, shared, [WARP]);
    double sum = 0.0;
    for (u64 i = (u64)BLOCK_X * THREADS + THREAD; i < p.len; i += (u64)BLOCKS_X * THREADS) sum += (double)p.x[i] * p.x[i];
    sum = block_sum(sum, shared);
    if (THREAD == 0) p.partial[BLOCK_X] = sum;
}

struct AddSquares {
    Sums *sums;
    const double *partial;
    u64 blocks;
};

// Adds the parts up. One block.
KERNEL(add_squares, AddSquares) {
    SHARED(double, shared, [WARP]);
    double sum = 0.0;
    for (u64 i = THREAD; i < p.blocks; i += THREADS) sum += p.partial[i];
    sum = block_sum(sum, shared);
    if (THREAD == 0) p.sums->squares += sum;
}

struct Update {
    const Sums *sums;
    double gradient1, gradient2; // 1 − β₁ and 1 − β₂
    double clip;                 // the gradient's factor, or where `to_norm` its largest norm (0: not cut)
    float beta1, beta2;
    float decay_factor, step_size, rsqrt_correction2, eps;
    u32 to_norm;
    u32 unused;
};

// What of `Update` is the same for all numbers.
struct Factors {
    float gradient1, gradient2;
    bool usable; // a step whose loss or norm is not finite changes nothing
};

DEVICE Factors factors(const Update &u) {
    double clip = u.clip;
    if (u.to_norm) {
        double squares = u.sums->squares, loss = u.sums->loss;
        // x − x is 0 for finite x alone.
        if (squares - squares != 0.0 || loss - loss != 0.0) return Factors{0.0f, 0.0f, false};
        clip = 1.0;
        if (u.clip > 0.0) {
            clip = u.clip / (sqrt(squares) + 1e-6);
            clip = clip < 1.0 ? clip : 1.0;
        }
    }
    return Factors{(float)(u.gradient1 * clip), (float)(u.gradient2 * clip * clip), true};
}

DEVICE float update(const Update &u, const Factors &f, float p, float &m, float &v, float g) {
    m = u.beta1 * m + f.gradient1 * g;
    v = u.beta2 * v + f.gradient2 * g * g;
    return u.decay_factor * p - u.step_size * m / (sqrtf(v) * u.rsqrt_correction2 + u.eps);
}

struct AdamW {
    Update update;
    float *values;
    float *first;
    float *second;
    u16 *half; // the values as bfloat16; may be null
    const float *gradients;
    u64 len;
};

KERNEL(adamw, AdamW) {
    Factors f = factors(p.update);
    if (!f.usable) return;
    for (u64 i = (u64)BLOCK_X * THREADS + THREAD; i < p.len; i += (u64)BLOCKS_X * THREADS) {
        float m = p.first[i], v = p.second[i];
        put(p.values, p.half, i, update(p.update, f, p.values[i], m, v, p.gradients[i]));
        p.first[i] = m;
        p.second[i] = v;
    }
}

struct AdamWRows {
    Update update;
    float *values; // the tables
    float *first;
    float *second;
    const float *gradients;
    const u32 *rows; // (row of the table, row of the gradient or ~0)
    u64 width;
};

// A block for each row.
KERNEL(adamw_rows, AdamWRows) {
    Factors f = factors(p.update);
    if (!f.usable) return;
    u64 at = p.rows[2 * BLOCK_X] * p.width;
    u32 row = p.rows[2 * BLOCK_X + 1];
    for (u32 c = THREAD; c < p.width; c += THREADS) {
        float m = p.first[at + c], v = p.second[at + c];
        float g = row == ~0u ? 0.0f : p.gradients[row * p.width + c];
        p.values[at + c] = update(p.update, f, p.values[at + c], m, v, g);
        p.first[at + c] = m;
        p.second[at + c] = v;
    }
}
