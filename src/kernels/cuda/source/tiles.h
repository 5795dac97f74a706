// Tiles of attention: what its kernels are made of.
#pragma once
#include "common.h"

// Widths of the dropout mask: the longest sequence that it can tell apart.
#define MASK_WIDTH 8192

struct Attention {
    static constexpr bool RELATIVE = false; // whether scores have relative positions
    float *context;      // [queries, width]
    u16 *context_half;
    float *dq;           // of the layout of q
    u16 *dq_half;
    float *dk;           // gradients of keys and values, of the layouts of k and v
    u16 *dk_half;
    float *dv;
    u16 *dv_half;
    float *stats;        // [queries, heads, 2]: logarithm of the sum of exponentials, and Σ p·dp
    const float *d_context;
    const float *q;
    const float *k;
    const float *v;
    const u32 *offsets;
    const u32 *tiles;    // (sequence, first row) of each tile; null: sequence = block, one query
    Dropout dropout;
    u32 q_stride;
    u32 kv_stride;
    u32 width;
    u32 heads;
    u32 head_width;
    u32 first_only;      // whether the first token of each sequence asks, alone
    float scale;
    u32 window;          // the greatest distance between a query and its keys
};

// A head of a tile of a sequence.
struct Tile {
    u32 queries_begin, queries_end; // rows of q that ask in this sequence
    u32 keys_begin, keys_end;       // rows of k and v
    u32 from;                       // the tile's first row, counted from the sequence's first
    u32 column;                     // the head's first column
    u64 mask;                       // place in the mask of (row 0 of q, key 0)
};

// The block's head of a sequence, from a row on.
DEVICE Tile tile_at(const Attention &p, u32 sequence, u32 from) {
    Tile t;
    t.from = from;
    t.keys_begin = p.offsets[sequence];
    t.keys_end = p.offsets[sequence + 1];
    t.queries_begin = p.first_only ? sequence : t.keys_begin;
    t.queries_end = p.first_only ? sequence + 1 : t.keys_end;
    t.column = BLOCK_Y * p.head_width;
    t.mask = p.dropout.first_row * p.heads * MASK_WIDTH + (u64)BLOCK_Y * MASK_WIDTH;
    return t;
}

// The block's tile.
DEVICE Tile tile_of(const Attention &p, const u32 *tiles) {
    u32 sequence = tiles ? tiles[2 * BLOCK_X] : BLOCK_X;
    return tile_at(p, sequence, tiles ? tiles[2 * BLOCK_X + 1] : 0);
}

// Rows of a tile are four numbers longer than their D: each four of them lie together, and rows in different banks.
#define WIDTH (D + 4)
// Products of two tiles: SIDE·SIDE threads, each of which has PER·PER numbers, SIDE rows and columns apart.
#define SIDE 16
#define PER (TILE / SIDE)
// A row of a tile belongs to LANES neighbouring threads. Each has OWN columns, four together.
#define LANES (BLOCK / TILE)
#define OWN (D / LANES)
#define COLUMN(j) (lane * 4 + (j) / 4 * 4 * LANES + (j) % 4)

// The factors of dropout of a query and the keys `key`, `key` + SIDE, …, which begin in the first SIDE of a tile.
template <int N> DEVICE void factors(const Attention &p, const Tile &t, u32 query, u32 key, float *out) {
    dropout_factors<N>(p.dropout, t.mask + (u64)query * p.heads * MASK_WIDTH + key, out);
}

// Four columns of a row of a head of `d` numbers, from column `c` on, which is at `at`; zeros behind them.
DEVICE Four columns_of(const float *at, u32 c, u32 d) {
    Four x = {0.0f, 0.0f, 0.0f, 0.0f};
    // With heads of a multiple of four numbers, so are strides and columns.
    if (d % 4 == 0 && c < d) x = four(at);
    if (d % 4 != 0)
        for (u32 e = 0; e < 4; e++)
            if (c + e < d) x.at[e] = at[e];
    return x;
}

// Copies `n` rows of a head, zeros behind them.
template <int TILE, int D>
DEVICE void load(float (*to)[WIDTH], const float *from, u32 row, u32 n, u32 stride, u32 column, u32 d) {
#pragma unroll
    for (u32 i = 0; i < TILE * D / 4 / BLOCK; i++) {
        u32 r = (THREAD + i * BLOCK) / (D / 4), c = (THREAD + i * BLOCK) % (D / 4) * 4;
        const float *at = from + (u64)(row + r) * stride + column + c;
        Four x = {0.0f, 0.0f, 0.0f, 0.0f};
        if (r < n) x = columns_of(at, c, d);
        four(&to[r][c]) = x;
    }
}

// Writes what a thread has of a row of a head that begins at `at`.
template <int TILE, int D>
DEVICE void store(float *out, u16 *half, u64 at, const float *own, u32 d) {
    u32 lane = THREAD % LANES;
#pragma unroll
    for (int j = 0; j < OWN; j++)
        if (COLUMN(j) < d) put(out, half, at + COLUMN(j), own[j]);
}

// out = a·bᵀ of two tiles, where it is the thread's.
template <int TILE, int D> DEVICE void products(float (*out)[PER], float (*a)[WIDTH], float (*b)[WIDTH]) {
    u32 r = THREAD / SIDE, c = THREAD % SIDE;
#pragma unroll
    for (int i = 0; i < PER; i++)
        for (int j = 0; j < PER; j++) out[i][j] = 0.0f;
#pragma unroll 4
    for (int at = 0; at < D; at += 4) {
        Four x[PER], y[PER];
#pragma unroll
        for (int i = 0; i < PER; i++) x[i] = four(&a[r + i * SIDE][at]), y[i] = four(&b[c + i * SIDE][at]);
#pragma unroll
        for (int e = 0; e < 4; e++)
#pragma unroll
            for (int i = 0; i < PER; i++)
#pragma unroll
                for (int j = 0; j < PER; j++) out[i][j] += x[i].at[e] * y[j].at[e];
    }
}

// Adds `weights`·`rows` to a thread's columns, for the first `n` rows; weights and rows behind them are zeros.
template <int TILE, int D> DEVICE void add_rows_of(float *own, const float *weights, float (*rows)[WIDTH], u32 n) {
    u32 lane = THREAD % LANES;
    for (u32 c = 0; c < n; c += 4) {
        Four weight = four(&weights[c]);
#pragma unroll
        for (int e = 0; e < 4; e++)
#pragma unroll
            for (int j = 0; j < OWN; j += 4) {
                Four x = four(&rows[c + e][COLUMN(j)]);
#pragma unroll
                for (int f = 0; f < 4; f++) own[j + f] += weight.at[e] * x.at[f];
            }
    }
}

DEVICE u32 smaller(u32 a, u32 b) { return a < b ? a : b; }

// Rows of the other kind that a tile's rows `from`, …, `from` + TILE - 1 reach, of `n`: the first, a multiple of TILE, and the end.
template <int TILE> DEVICE u32 first_reached(const Attention &p, u32 from) {
    return from > p.window ? (from - p.window) / TILE * TILE : 0;
}

template <int TILE> DEVICE u32 end_reached(const Attention &p, u32 from, u32 n) {
    u32 end = smaller(n, from + TILE);
    return p.window < n - end ? end + p.window : n;
}

// Whether a query and a key at these positions of their sequence see each other.
DEVICE bool visible(const Attention &p, u32 query, u32 key) {
    return (query > key ? query - key : key - query) <= p.window;
}
