// Number by number, row by row: biases, activations, the rows that are first, conversions.
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

// The functions of `Activation`, in its order.
enum { GELU, GELU_TANH, RELU, SILU, TANH };

// f(x); sets the derivative there.
DEVICE float activation(u32 function, float x, float *derivative) {
    float t, half;
    switch (function) {
    case GELU: // the exact one (Hendrycks & Gimpel 2016): x·Φ(x); its derivative is Φ(x) + x·φ(x)
        t = 0.5f * (1.0f + erff(x * 0.70710678f));
        *derivative = t + x * 0.39894228f * expf(-0.5f * x * x);
        return x * t;
    case GELU_TANH:
        t = tanhf(0.79788456f * (x + 0.044715f * x * x * x));
        half = 0.5f * (1.0f + t);
        *derivative = half + 0.5f * x * (1.0f - t * t) * 0.79788456f * (1.0f + 3.0f * 0.044715f * x * x);
        return x * half;
    case RELU: // NaN stays NaN
        *derivative = x <= 0.0f ? 0.0f : 1.0f;
        return x <= 0.0f ? 0.0f : x;
    case SILU:
        t = 1.0f / (1.0f + expf(-x));
        *derivative = t * (1.0f + x * (1.0f - t));
        return x * t;
    default:
        t = tanhf(x);
        *derivative = 1.0f - t * t;
        return t;
    }
}

struct BiasActivation {
    float *y;
    u16 *y_half;
    float *x;
    const float *bias; // may be none
    u64 len;
    u32 width;
    u32 function;
    u32 derivative; // whether x becomes the derivative
    u32 unused;
};

// y = f(x + bias).
KERNEL(bias_activation, BiasActivation) {
    EACH(i, p.len) {
        float derivative;
        float y = activation(p.function, p.x[i] + (p.bias == nullptr ? 0.0f : p.bias[i % p.width]), &derivative);
        put(p.y, p.y_half, i, y);
        if (p.derivative) p.x[i] = derivative;
    }
}

struct Gated {
    float *y;
    u16 *y_half;
    float *x;          // [rows, 2 · width]
    u16 *x_half;
    const float *bias; // [2 · width]; may be none
    Dropout dropout;
    u64 len;           // of y
    u32 width;         // of y
    u32 function;
    u32 derivative; // whether x becomes the derivatives of y by its two halves
    u32 unused;
};

// With (a, g) the halves of a row of x plus the bias: y = dropout(f(a)·g).
KERNEL(gated_activation, Gated) {
    EACH(i, p.len) {
        u32 c = (u32)(i % p.width);
        u64 a = i / p.width * 2 * p.width + c, g = a + p.width;
        float derivative, factor = dropout_factor(p.dropout, p.dropout.first_row * p.width + i);
        float f = activation(p.function, p.x[a] + (p.bias == nullptr ? 0.0f : p.bias[c]), &derivative);
        float gate = p.x[g] + (p.bias == nullptr ? 0.0f : p.bias[p.width + c]);
        put(p.y, p.y_half, i, f * gate * factor);
        if (p.derivative) {
            p.x[a] = derivative * gate * factor;
            p.x[g] = f * factor;
        }
    }
}

// Each half of a row of x, the derivatives, is multiplied by y, the gradient.
KERNEL(gated_activation_backward, Gated) {
    EACH(i, p.len) {
        u64 a = i / p.width * 2 * p.width + i % p.width, g = a + p.width;
        put(p.x, p.x_half, a, p.x[a] * p.y[i]);
        put(p.x, p.x_half, g, p.x[g] * p.y[i]);
    }
}

struct Rotate {
    float *x; // [tokens, stride]
    u16 *x_half;
    const float *angles; // [positions, 2 · half]: cosines, then sines
    const u32 *positions;
    u64 len; // pairs of all tokens
    u32 stride;
    u32 heads; // of a row that are rotated
    u32 half;  // pairs of a head
    float sign;
};

// Turns each pair (value i, value i + half) of a head by the angle of its token's position.
KERNEL(rotate, Rotate) {
    EACH(i, p.len) {
        u32 c = (u32)(i % p.half), head = (u32)(i / p.half % p.heads);
        u64 row = i / p.half / p.heads, at = row * p.stride + head * 2 * p.half + c;
        const float *angles = p.angles + (u64)p.positions[row] * 2 * p.half;
        float cosine = angles[c], sine = p.sign * angles[p.half + c], a = p.x[at], b = p.x[at + p.half];
        put(p.x, p.x_half, at, a * cosine - b * sine);
        put(p.x, p.x_half, at + p.half, b * cosine + a * sine);
    }
}

struct Multiply {
    float *y;
    u16 *y_half;
    const float *x;
    u64 len;
};

KERNEL(multiply, Multiply) { EACH(i, p.len) put(p.y, p.y_half, i, p.y[i] * p.x[i]); }

struct Activate {
    float *y;
    float *x;
    Dropout dropout;
    u64 len;
    u32 width;
    u32 function;
};

// y = dropout(f(x)); x becomes the derivative.
KERNEL(activate, Activate) {
    EACH(i, p.len) {
        float y = activation(p.function, p.x[i], &p.x[i]);
        p.y[i] = y * dropout_factor(p.dropout, p.dropout.first_row * p.width + i);
    }
}

// y, the gradient of what followed dropout, becomes that of what preceded the function; x is what the forward pass left.
KERNEL(activate_backward, Activate) {
    EACH(i, p.len) p.y[i] *= dropout_factor(p.dropout, p.dropout.first_row * p.width + i) * p.x[i];
}

// y = dropout(y).
KERNEL(dropout, Activate) {
    EACH(i, p.len) p.y[i] *= dropout_factor(p.dropout, p.dropout.first_row * p.width + i);
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

// y = the mean of the rows of x of each sequence.
KERNEL(mean_rows, FirstRows) {
    u32 begin = p.offsets[BLOCK_X], end = p.offsets[BLOCK_X + 1];
    float share = 1.0f / (float)(end - begin);
    for (u32 c = THREAD; c < p.width; c += THREADS) {
        float sum = 0.0f;
        for (u32 row = begin; row < end; row++) sum += p.x[row * p.width + c];
        put(p.y, p.y_half, BLOCK_X * p.width + c, sum * share);
    }
}

// The rows of x of each sequence become its row of y, divided by their number.
KERNEL(mean_rows_backward, FirstRows) {
    u32 begin = p.offsets[BLOCK_X], end = p.offsets[BLOCK_X + 1];
    float share = 1.0f / (float)(end - begin);
    for (u32 c = THREAD; c < p.width; c += THREADS) {
        float d = p.y[BLOCK_X * p.width + c] * share;
        for (u32 row = begin; row < end; row++) p.x[row * p.width + c] = d;
    }
}

struct CopyRows {
    float *to;
    u16 *to_half;
    const float *from;
    Dropout dropout;
    u64 len;
    u32 width;
    u32 add; // whether rows are added to what is there
};

// to = dropout(from), or to += dropout(from).
KERNEL(copy_rows, CopyRows) {
    EACH(i, p.len) {
        float x = p.from[i] * dropout_factor(p.dropout, p.dropout.first_row * p.width + i);
        put(p.to, p.to_half, i, p.add ? p.to[i] + x : x);
    }
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
