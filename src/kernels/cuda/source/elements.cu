// Number by number, row by row: bias, GELU, tanh, the rows that are first, conversions.
#include "common.h"

// A loop over numbers, a thread taking every (blocks · threads)-th.
#define EACH(i, len) for (u64 i = (u64)BLOCK_X * THREADS + THREAD; i < (len); i += (u64)BLOCKS_X * THREADS)

struct AddBias {
    float *y;
    const float *bias;
    u64 len;
    u64 width;
};

KERNEL(add_bias, AddBias) { EACH(i, p.len) p.y[i] += p.bias[i % p.width]; }

struct BiasGelu {
    float *y;
    u16 *y_half;
    float *x;
    const float *bias; // may be none
    u64 len;
    u32 width;
    u32 derivative; // whether x becomes the derivative
};

// The exact GELU (Hendrycks & Gimpel 2016): x·Φ(x); its derivative is Φ(x) + x·φ(x).
KERNEL(bias_gelu, BiasGelu) {
    EACH(i, p.len) {
        float x = p.x[i] + (p.bias == nullptr ? 0.0f : p.bias[i % p.width]);
        float phi = 0.5f * (1.0f + erff(x * 0.70710678f));
        put(p.y, p.y_half, i, x * phi);
        if (p.derivative) p.x[i] = phi + x * 0.39894228f * expf(-0.5f * x * x);
    }
}

struct Multiply {
    float *y;
    u16 *y_half;
    const float *x;
    u64 len;
};

KERNEL(multiply, Multiply) { EACH(i, p.len) put(p.y, p.y_half, i, p.y[i] * p.x[i]); }

struct Tanh {
    float *y;
    float *x;
    Dropout dropout;
    u64 len;
    u64 width;
};

// x = tanh(x); y = dropout(x).
KERNEL(tanh_forward, Tanh) {
    EACH(i, p.len) {
        float t = tanhf(p.x[i]);
        p.x[i] = t;
        p.y[i] = t * dropout_factor(p.dropout, p.dropout.first_row * p.width + i);
    }
}

// y, the gradient of what followed dropout, becomes that of what preceded tanh; x is what the forward pass left.
KERNEL(tanh_backward, Tanh) {
    EACH(i, p.len) {
        float t = p.x[i];
        p.y[i] *= dropout_factor(p.dropout, p.dropout.first_row * p.width + i) * (1.0f - t * t);
    }
}

struct FirstRows {
    float *x;
    float *y;
    u16 *y_half;
    const u32 *offsets;
    u64 width;
};

// y = the rows of x that are first in their sequence.
KERNEL(first_rows, FirstRows) {
    u64 from = p.offsets[BLOCK_X] * p.width, to = BLOCK_X * p.width;
    for (u32 c = THREAD; c < p.width; c += THREADS) put(p.y, p.y_half, to + c, p.x[from + c]);
}

// Adds y to them.
KERNEL(add_to_first_rows, FirstRows) {
    u64 to = p.offsets[BLOCK_X] * p.width, from = BLOCK_X * p.width;
    for (u32 c = THREAD; c < p.width; c += THREADS) p.x[to + c] += p.y[from + c];
}

struct Convert {
    u16 *half;
    const float *x;
    u64 len;
};

KERNEL(convert, Convert) { EACH(i, p.len) p.half[i] = to_bf16(p.x[i]); }

struct ScaleRows {
    float *table;
    const u32 *rows;
    u64 width;
    float by;
    u32 unused;
};

KERNEL(scale_rows, ScaleRows) {
    float *row = p.table + p.rows[BLOCK_X] * p.width;
    for (u32 c = THREAD; c < p.width; c += THREADS) row[c] *= p.by;
}
