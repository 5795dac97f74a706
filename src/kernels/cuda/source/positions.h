// Relative positions of disentangled attention (He et al. 2021): a score has q·(key of the distance) and k·(query of the distance)
// beside q·k.
//
// A tile of queries and one of keys are 2·TILE - 1 distances apart. The rows of these are staged in shared memory, PART columns of
// one of the two terms at a time, where another tile stands at other times: each of its rows serves a diagonal of the scores.
#pragma once
#include "tiles.h"

struct Relative : Attention {
    static constexpr bool RELATIVE = true;
    const float *positions; // [positions, 2 · width]: queries, then keys
    const float *rows;      // the position of distance 0; those of other distances before and after it
    float *partial;         // [chunks, 2 · TILE, 2 · width]: sums of a pass, by distance
    const u32 *pairs;       // (sequence, first query, first key) of each pair of tiles
    const u32 *chunks;      // the end of each chunk of pairs, after a 0
    u32 chunk;              // the pass's first chunk
    u32 first;              // the position that row 0 of `positions` is for
    u32 c2p;                // whether scores have the product of a query and a position's key
    u32 p2c;                // whether they have that of a key and a position's query
};

// Columns that are staged at a time: four of each thread of a row.
#define PART (4 * LANES)
// Rows of a tile's array that have the room of what is staged.
#define ROOM ((2 * TILE * (PART + 4) + WIDTH - 1) / WIDTH)

// The rows of `positions` that a thread stages for two tiles: those of its two distances.
struct Near {
    u32 row[2];
};

// `lead`: the distance of the tiles' first rows. What is staged begins with distance `lead` - (TILE - 1); those that neither tile has
// get the nearest that they have.
template <int TILE> DEVICE Near near_positions(const Relative &p, int lead, u32 nq, u32 nk) {
    Near near;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        int apart = (int)(THREAD / LANES) + (i - 1) * TILE + 1;
        int least = 1 - (int)nk, most = (int)nq - 1;
        apart = apart < least ? least : apart > most ? most : apart;
        near.row[i] = (u32)p.rows[lead + apart] - p.first;
    }
    return near;
}

// Stages columns `part`, …, `part` + PART - 1 of the head, which begins at `column` of a row of `positions`.
template <int TILE, int D> DEVICE void stage(float (*to)[PART + 4], const Near &near, const Relative &p, u32 column, u32 part) {
    u32 lane = THREAD % LANES * 4;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const float *at = p.positions + (u64)near.row[i] * 2 * p.width + column + part + lane;
        four(&to[THREAD / LANES + i * TILE][lane]) = columns_of(at, part + lane, p.head_width);
    }
}

// Adds the products of rows of `own`, queries or keys, and what is staged, where they are the thread's.
template <int TILE, int D, bool OF_QUERIES>
DEVICE void add_products(float (*out)[PER], float (*own)[WIDTH], float (*staged)[PART + 4], u32 part) {
    u32 r = THREAD / SIDE, c = THREAD % SIDE;
    // The thread's scores are on 2·PER - 1 diagonals.
    u32 row = OF_QUERIES ? r : c, diagonal = TILE - 1 - (PER - 1) * SIDE + r - c;
#pragma unroll 4
    for (int at = 0; at < PART; at += 4) {
        Four x[PER], y[2 * PER - 1];
#pragma unroll
        for (int i = 0; i < PER; i++) x[i] = four(&own[row + i * SIDE][part + at]);
#pragma unroll
        for (int i = 0; i < 2 * PER - 1; i++) y[i] = four(&staged[diagonal + i * SIDE][at]);
#pragma unroll
        for (int e = 0; e < 4; e++)
#pragma unroll
            for (int i = 0; i < PER; i++)
#pragma unroll
                for (int j = 0; j < PER; j++) out[i][j] += x[OF_QUERIES ? i : j].at[e] * y[PER - 1 + i - j].at[e];
    }
}

// Adds the positions' terms to the scores of two tiles. What is in `room` is lost: no thread may be reading it.
template <int TILE, int D>
DEVICE void add_positions(float (*scores)[PER], float (*q)[WIDTH], float (*k)[WIDTH], float (*room)[WIDTH], const Near &near,
                          const Relative &p, u32 column) {
    float(*staged)[PART + 4] = (float(*)[PART + 4])room;
    for (u32 part = 0; part < D && part < p.head_width; part += PART) {
        if (p.c2p) {
            stage<TILE, D>(staged, near, p, p.width + column, part);
            sync_block();
            add_products<TILE, D, true>(scores, q, staged, part);
            sync_block();
        }
        if (p.p2c) {
            stage<TILE, D>(staged, near, p, column, part);
            sync_block();
            add_products<TILE, D, false>(scores, k, staged, part);
            sync_block();
        }
    }
}

// Adds weights·(rows of positions) to the columns of a thread's row, one of `rows`; of the other tile there are `others`. Weights
// behind them are zeros. What is in `room` is lost: no thread may be reading it.
template <int TILE, int D, bool OF_QUERIES>
DEVICE void add_rows_of_positions(float *own, float (*weights)[TILE + 4], u32 rows, u32 others, float (*room)[WIDTH],
                                  const Near &near, const Relative &p, u32 column) {
    float(*staged)[PART + 4] = (float(*)[PART + 4])room;
    u32 row = THREAD / LANES, lane = THREAD % LANES * 4;
#pragma unroll
    for (int j = 0; j < OWN; j += 4) {
        // Columns of the part are the thread's columns j, …, j + 3.
        u32 part = j / 4 * PART;
        if (part >= p.head_width) continue;
        stage<TILE, D>(staged, near, p, column, part);
        sync_block();
        for (u32 c = 0; row < rows && c < others; c += 4) {
            Four weight = four(&weights[row][c]);
#pragma unroll
            for (u32 e = 0; e < 4; e++) {
                u32 diagonal = TILE - 1 + (OF_QUERIES ? row - (c + e) : c + e - row);
                Four x = four(&staged[diagonal][lane]);
#pragma unroll
                for (int f = 0; f < 4; f++) own[j + f] += weight.at[e] * x.at[f];
            }
        }
        sync_block();
    }
}

// The positions' part of the gradient of queries: dS·(keys of positions).
template <int TILE, int D>
DEVICE void add_keys_of_positions(float *dq, float (*ds)[TILE + 4], u32 nq, u32 nk, float (*room)[WIDTH], const Near &near,
                                  const Relative &p, u32 column) {
    if (p.c2p) add_rows_of_positions<TILE, D, true>(dq, ds, nq, nk, room, near, p, p.width + column);
}

// That of keys: dSᵀ·(queries of positions).
template <int TILE, int D>
DEVICE void add_queries_of_positions(float *dk, float (*ds)[TILE + 4], u32 nk, u32 nq, float (*room)[WIDTH], const Near &near,
                                     const Relative &p, u32 column) {
    if (p.p2c) add_rows_of_positions<TILE, D, false>(dk, ds, nk, nq, room, near, p, column);
}

// Without relative positions, all of this is nothing.
struct None {};
template <int TILE> DEVICE None near_positions(const Attention &, int, u32, u32) { return None(); }
template <int TILE, int D>
DEVICE void add_positions(float (*)[PER], float (*)[WIDTH], float (*)[WIDTH], float (*)[WIDTH], None, const Attention &, u32) {}
template <int TILE, int D>
DEVICE void add_keys_of_positions(float *, float (*)[TILE + 4], u32, u32, float (*)[WIDTH], None, const Attention &, u32) {}
template <int TILE, int D>
DEVICE void add_queries_of_positions(float *, float (*)[TILE + 4], u32, u32, float (*)[WIDTH], None, const Attention &, u32) {}
