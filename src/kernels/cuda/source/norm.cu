// Layer normalisation (Ba et al. 2016), with what comes before and after it: a block for each row, or for some rows.
#include "common.h"

// Numbers of a row that one thread can have: rows of up to 2048 numbers.
#define COLUMNS 8

// A loop over the columns `c` that the thread has, the i-th of them; unrolled, so that what it has stays in registers.
#define EACH_COLUMN(i, c, width) \
    _Pragma("unroll") for (u32 i = 0, c = THREAD; i < COLUMNS; i++, c += THREADS) if (c < (width))

struct NormForward {
    float *out;
    u16 *out_half;
    float *stats;
    const float *weight;
    const float *bias; // may be none
    Dropout dropout; // falls on the result
    u32 width;
    float eps;
};

// out = dropout(norm(the row that the block's threads hold in `x`)).
DEVICE void normalise(const NormForward &n, u32 row, const float x[COLUMNS], float *shared) {
    float sum = 0.0f;
    EACH_COLUMN(i, c, n.width) sum += x[i];
    float mean = block_sum(sum, shared) / (float)n.width;
    float squares = 0.0f;
    EACH_COLUMN(i, c, n.width) squares += (x[i] - mean) * (x[i] - mean);
    float deviation = 1.0f / sqrtf(block_sum(squares, shared) / (float)n.width + n.eps);
    u64 begin = (u64)row * n.width, index = (n.dropout.first_row + row) * n.width;
    EACH_COLUMN(i, c, n.width) {
        float y = (x[i] - mean) * deviation * n.weight[c] + (n.bias == nullptr ? 0.0f : n.bias[c]);
        put(n.out, n.out_half, begin + c, y * dropout_factor(n.dropout, index + c));
    }
    if (THREAD == 0) {
        n.stats[2 * row] = mean;
        n.stats[2 * row + 1] = deviation;
    }
}

struct Embed {
    NormForward norm;
    float *sum;
    const float *words;
    const float *positions;   // may be none
    const float *token_types; // may be none
    const float *task;        // may be none
    const u32 *ids;
    const u32 *position_rows;
    const u32 *token_type_rows;
    const float *scales; // what the word's row is multiplied by
};

// sum = word + position + token type + task; out = dropout(norm(sum)).
KERNEL(embed, Embed) {
    SHARED(float, shared, [WARP]);
    u32 row = BLOCK_X, width = p.norm.width;
    const float *word = p.words + (u64)p.ids[row] * width;
    const float *position = p.positions + (u64)p.position_rows[row] * width;
    const float *type = p.token_types + (u64)p.token_type_rows[row] * width;
    float scale = p.scales[row], x[COLUMNS];
    EACH_COLUMN(i, c, width) {
        x[i] = word[c] * scale + (p.positions == nullptr ? 0.0f : position[c]) +
               (p.token_types == nullptr ? 0.0f : type[c]) + (p.task == nullptr ? 0.0f : p.task[c]);
        p.sum[(u64)row * width + c] = x[i];
    }
    normalise(p.norm, row, x, shared);
}

struct AddNorm {
    NormForward norm; // its dropout is none
    float *x;
    const float *bias; // may be none
    const float *residual; // may be none
    Dropout dropout;
};

// x = dropout(x + bias) + residual, where there is one; out = norm(x).
KERNEL(add_norm, AddNorm) {
    SHARED(float, shared, [WARP]);
    u32 row = BLOCK_X, width = p.norm.width;
    u64 begin = (u64)row * width, index = (p.dropout.first_row + row) * width;
    float x[COLUMNS];
    EACH_COLUMN(i, c, width) {
        float biased = p.x[begin + c] + (p.bias == nullptr ? 0.0f : p.bias[c]);
        float residual = p.residual == nullptr ? 0.0f : p.residual[begin + c];
        // One rounding, whatever a compiler makes of the condition.
        x[i] = fmaf(biased, dropout_factor(p.dropout, index + c), residual);
        p.x[begin + c] = x[i];
    }
    normalise(p.norm, row, x, shared);
}

struct NormBackward {
    float *d_sum;       // gradient of what was normalised; may be `dy`
    float *dx;          // the same after `after`; may be null
    u16 *dx_half;
    float *partial;     // [blocks][2][width]: the block's part of the gradients of weight and bias
    const float *dy;
    const float *sum;
    const float *stats;
    const float *weight;
    Dropout before;     // fell on the norm's result
    Dropout after;      // fell on a part of what was normalised
    u32 rows;
    u32 rows_of_block;
    u32 width;
    u32 add; // whether `d_sum` holds a gradient already, to which this one is added
};

// With x̂ = (x − mean)·deviation and g = dy∘weight: dx = deviation·(g − mean(g) − x̂·mean(g∘x̂)).
KERNEL(norm_backward, NormBackward) {
    SHARED(float, shared, [WARP]);
    u32 width = p.width, first = BLOCK_X * p.rows_of_block;
    float dw[COLUMNS], db[COLUMNS];
    for (u32 i = 0; i < COLUMNS; i++) dw[i] = db[i] = 0.0f;
    for (u32 row = first; row < first + p.rows_of_block && row < p.rows; row++) {
        u64 begin = (u64)row * width;
        u64 before = (p.before.first_row + row) * width, after = (p.after.first_row + row) * width;
        float mean = p.stats[2 * row], deviation = p.stats[2 * row + 1];
        float g[COLUMNS], normal[COLUMNS], sum = 0.0f, dot = 0.0f;
        EACH_COLUMN(i, c, width) {
            float dy = p.dy[begin + c] * dropout_factor(p.before, before + c);
            normal[i] = (p.sum[begin + c] - mean) * deviation;
            g[i] = dy * p.weight[c];
            dw[i] += dy * normal[i];
            db[i] += dy;
            sum += g[i];
            dot += g[i] * normal[i];
        }
        float mean_g = block_sum(sum, shared) / (float)width;
        float mean_dot = block_sum(dot, shared) / (float)width;
        EACH_COLUMN(i, c, width) {
            float d = deviation * (g[i] - mean_g - normal[i] * mean_dot) + (p.add ? p.d_sum[begin + c] : 0.0f);
            p.d_sum[begin + c] = d;
            if (p.dx) put(p.dx, p.dx_half, begin + c, d * dropout_factor(p.after, after + c));
        }
    }
    float *partial = p.partial + (u64)BLOCK_X * 2 * width;
    EACH_COLUMN(i, c, width) {
        partial[c] = dw[i];
        partial[width + c] = db[i];
    }
}
