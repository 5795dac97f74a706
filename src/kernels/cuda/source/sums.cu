// Sums over rows, in an order that depends on shapes alone.
#include "common.h"

struct ColumnSums {
    float *first;   // gets the sums of the columns before `split`
    float *second;  // gets those of the others; may be none
    const float *x; // [rows, width]
    const u32 *kinds; // of each row; none: all rows count
    u32 rows;
    u32 width;
    u32 split;
    u32 fresh; // whether sums are written or added
    u32 kind;  // the kind of the rows that count
    u32 unused;
};

// Columns of a block: what the memory reads at once.
#define COLUMNS 8
// Loads of a thread that are on their way at a time. Those past the end read nothing and add zero: one after the other, as the
// rest of an unrolled loop, they would take most of the time.
#define AHEAD 16

// Sums of the columns of a matrix: a block takes 8 columns, each 8 of its threads every 32nd row. Few rows for a thread, and many
// blocks: most of the time is spent waiting for memory.
KERNEL(column_sums, ColumnSums) {
    SHARED(float, shared, [BLOCK / WARP][COLUMNS]);
    u32 lane = THREAD % COLUMNS, column = BLOCK_X * COLUMNS + lane;
    float sum = 0.0f;
    if (column < p.width)
        for (u32 first = THREAD / COLUMNS; first < p.rows; first += AHEAD * (BLOCK / COLUMNS)) {
            float x[AHEAD];
#pragma unroll
            for (u32 i = 0; i < AHEAD; i++) {
                u32 row = first + i * (BLOCK / COLUMNS);
                bool counts = row < p.rows && (p.kinds == nullptr || p.kinds[row] == p.kind);
                x[i] = counts ? p.x[(u64)row * p.width + column] : 0.0f;
            }
#pragma unroll
            for (u32 i = 0; i < AHEAD; i++) sum += x[i];
        }
    for (u32 mask = COLUMNS; mask < WARP; mask *= 2) sum += shuffle_xor(sum, mask);
    if (THREAD % WARP < COLUMNS) shared[THREAD / WARP][lane] = sum;
    sync_block();
    if (THREAD < COLUMNS && column < p.width && (column < p.split || p.second != nullptr)) {
        for (u32 other = 1; other < BLOCK / WARP; other++) sum += shared[other][lane];
        float *out = column < p.split ? p.first + column : p.second + (column - p.split);
        *out = p.fresh ? sum : *out + sum;
    }
}

#undef COLUMNS

struct AddRows {
    float *to;          // rows of `width` values: added to
    const float *d_sum; // [tokens, width]
    const u32 *rows;    // the row that each block adds to
    const u32 *ends;    // where its tokens end; they begin where those of the block before end
    const u32 *tokens;
    u64 width;
};

// Adds to rows of a table's gradient those of the tokens which have them: a block for each row and some of its columns.
KERNEL(add_rows, AddRows) {
    u32 begin = BLOCK_X == 0 ? 0 : p.ends[BLOCK_X - 1], end = p.ends[BLOCK_X];
    u32 c = BLOCK_Y * THREADS + THREAD;
    if (c >= p.width) return;
    float *to = p.to + p.rows[BLOCK_X] * p.width + c, sum = *to;
    for (u32 first = begin; first < end; first += AHEAD) {
        float x[AHEAD];
#pragma unroll
        for (u32 i = 0; i < AHEAD; i++) x[i] = first + i < end ? p.d_sum[p.tokens[first + i] * p.width + c] : 0.0f;
#pragma unroll
        for (u32 i = 0; i < AHEAD; i++) sum += x[i];
    }
    *to = sum;
}

#undef AHEAD
