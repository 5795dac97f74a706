// Sums over rows, in an order that depends on shapes alone.
#include "common.h"

struct ColumnSums {
    float *first;   // gets the sums of the columns before `split`
    float *second;  // gets those of the others
    const float *x; // [rows, width]
    u32 rows;
    u32 width;
    u32 split;
    u32 fresh; // whether sums are written or added
};

// Sums of the columns of a matrix: a block takes 32 columns, its warps every eighth row.
KERNEL(column_sums, ColumnSums) {
    SHARED(float, shared, [BLOCK / WARP][WARP]);
    u32 lane = THREAD % WARP, warp = THREAD / WARP, column = BLOCK_X * WARP + lane;
    float sum = 0.0f;
    // Several loads on their way at a time.
    if (column < p.width)
#pragma unroll 8
        for (u32 row = warp; row < p.rows; row += BLOCK / WARP) sum += p.x[(u64)row * p.width + column];
    shared[warp][lane] = sum;
    sync_block();
    if (warp == 0 && column < p.width) {
        for (u32 other = 1; other < BLOCK / WARP; other++) sum += shared[other][lane];
        float *out = column < p.split ? p.first + column : p.second + (column - p.split);
        *out = p.fresh ? sum : *out + sum;
    }
}

struct Words {
    float *words;       // [words of the step, width]: added to
    const float *d_sum; // [tokens, width]
    const u32 *rows;    // row of the gradient of each word
    const u32 *ends;    // where its tokens end; they begin where those of the word before end
    const u32 *tokens;
    u64 width;
};

// Adds to the gradient of each word that of the tokens where it stands: a block for each word.
KERNEL(words_backward, Words) {
    u32 begin = BLOCK_X == 0 ? 0 : p.ends[BLOCK_X - 1], end = p.ends[BLOCK_X];
    float *word = p.words + p.rows[BLOCK_X] * p.width;
    for (u32 c = THREAD; c < p.width; c += THREADS) {
        float sum = word[c];
#pragma unroll 8
        for (u32 i = begin; i < end; i++) sum += p.d_sum[p.tokens[i] * p.width + c];
        word[c] = sum;
    }
}

struct Positions {
    float *positions;   // [positions, width]
    const float *d_sum; // [tokens, width]
    const u32 *offsets;
    u32 sequences;
    u32 width;
    u32 fresh;
    u32 unused;
};

// The gradient of each position: a block for each; a sequence's tokens stand at 0, 1, 2, …
KERNEL(positions_backward, Positions) {
    float *out = p.positions + (u64)BLOCK_X * p.width;
    for (u32 c = THREAD; c < p.width; c += THREADS) {
        float sum = p.fresh ? 0.0f : out[c];
#pragma unroll 8
        for (u32 s = 0; s < p.sequences; s++) {
            u32 token = p.offsets[s] + BLOCK_X;
            if (token < p.offsets[s + 1]) sum += p.d_sum[(u64)token * p.width + c];
        }
        out[c] = sum;
    }
}
