// The gradients of relative positions, which are sums over all sequences: of dS·q for the keys of positions, of dSᵀ·k for the queries.
//
// The pairs of tiles of a batch are sorted by their distance, in tiles, and cut into chunks, none with pairs of two distances. A block
// sums a chunk's pairs, for each of the 2·TILE - 1 distances that they have; `sum_positions` adds up what belongs to a position. The
// order of sums depends on the lengths of sequences alone.
#include "positions.h"

// Threads for the columns of a row, four of each; and the first of four distances of a thread.
#define ACROSS (D / 4)
#define DISTANCE (THREAD / ACROSS * 4)

// Adds to the sums of a thread: for its four distances weights·rows over the rows of a tile that meet them. In `weights` a row has
// its weights by distance; row i meets those from `fall` ? TILE - 1 - i : i on, TILE of them, and the others' weights are zeros.
template <int TILE, int D, bool FALL>
DEVICE void add_by_distance(float (*sums)[4], float (*weights)[2 * TILE + 4], float (*rows)[WIDTH]) {
    static_assert(BLOCK / ACROSS * 4 == 2 * TILE, "a thread has four distances");
    int first = DISTANCE, last = first + 3, column = THREAD % ACROSS * 4;
    int from = FALL ? TILE - 1 - last : first - (TILE - 1), to = FALL ? 2 * TILE - 2 - first : last;
    from = from < 0 ? 0 : from;
    to = to > TILE - 1 ? TILE - 1 : to;
    for (int i = from; i <= to; i++) {
        Four weight = four(&weights[i][first]), x = four(&rows[i][column]);
#pragma unroll
        for (int e = 0; e < 4; e++)
#pragma unroll
            for (int f = 0; f < 4; f++) sums[e][f] += weight.at[e] * x.at[f];
    }
}

// Writes a thread's sums to a chunk's rows, [2 · TILE, 2 · width].
template <int D> DEVICE void store_by_distance(float *out, const Relative &p, const float (*sums)[4]) {
    u32 column = THREAD % ACROSS * 4;
#pragma unroll
    for (u32 e = 0; e < 4; e++)
#pragma unroll
        for (u32 f = 0; f < 4; f++)
            if (column + f < p.head_width) out[(u64)(DISTANCE + e) * 2 * p.width + column + f] = sums[e][f];
}

template <int TILE, int D> DEVICE void backward_positions(const Relative &p) {
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, a, [ROOM][WIDTH]); // positions, then d_out, then dS by distance: a row for each query
    SHARED(float, b, [TILE][WIDTH]); // v, then dS by distance: a row for each key
    static_assert(2 * TILE + 4 <= WIDTH, "dS by distance is no wider than a tile");
    float(*of_queries)[2 * TILE + 4] = (float(*)[2 * TILE + 4])a;
    float(*of_keys)[2 * TILE + 4] = (float(*)[2 * TILE + 4])b;
    float d_queries[4][4], d_keys[4][4]; // of positions
    for (int e = 0; e < 4; e++)
        for (int f = 0; f < 4; f++) d_queries[e][f] = d_keys[e][f] = 0.0f;
    u32 chunk = p.chunk + BLOCK_X, column = BLOCK_Y * p.head_width;
    for (u32 i = p.chunks[chunk]; i < p.chunks[chunk + 1]; i++) {
        const u32 *pair = p.pairs + 3 * (u64)i;
        Tile t = tile_at(p, pair[0], pair[1]);
        u32 query = t.queries_begin + t.from, key = t.keys_begin + pair[2];
        u32 nq = smaller(TILE, t.queries_end - query), nk = smaller(TILE, t.keys_end - key);
        Near near = near_positions<TILE>(p, t.from - pair[2], nq, nk);
        load<TILE, D>(q, p.q, query, nq, p.q_stride, column, p.head_width);
        load<TILE, D>(k, p.k, key, nk, p.kv_stride, column, p.head_width);
        load<TILE, D>(b, p.v, key, nk, p.kv_stride, column, p.head_width);
        sync_block();
        float x[PER][PER], y[PER][PER];
        products<TILE, D>(x, q, k);
        add_positions<TILE, D>(x, q, k, a, near, p, column);
        load<TILE, D>(a, p.d_context, query, nq, p.width, column, p.head_width);
        sync_block();
        products<TILE, D>(y, a, b);
        sync_block();
#pragma unroll
        for (int i = 0; i < PER; i++) {
            u32 r = THREAD / SIDE + i * SIDE, c = THREAD % SIDE;
            const float *stats = p.stats + ((u64)(query + r) * p.heads + BLOCK_Y) * 2;
            float kept[PER];
            factors<PER>(p, t, query + r, pair[2] + c, kept);
#pragma unroll
            for (int j = 0; j < PER; j++, c += SIDE) {
                float ds = 0.0f;
                if (r < nq && c < nk) ds = expf(x[i][j] * p.scale - stats[0]) * (y[i][j] * kept[j] - stats[1]);
                // Each row has TILE of the distances; the others, TILE apart from these, get zeros.
                u32 distance = TILE - 1 + r - c, other = (distance + TILE) % (2 * TILE);
                of_queries[r][distance] = of_keys[c][distance] = ds;
                of_queries[r][other] = of_keys[c][other] = 0.0f;
            }
        }
        sync_block();
        if (p.c2p) add_by_distance<TILE, D, false>(d_keys, of_queries, q);
        if (p.p2c) add_by_distance<TILE, D, true>(d_queries, of_keys, k);
        sync_block();
    }
    float *out = p.partial + (u64)BLOCK_X * 2 * TILE * 2 * p.width + column;
    if (p.p2c) store_by_distance<D>(out, p, d_queries);
    if (p.c2p) store_by_distance<D>(out + p.width, p, d_keys);
}

KERNEL(attention_positions_64, Relative) { backward_positions<32, 64>(p); }
KERNEL(attention_positions_128, Relative) { backward_positions<16, 128>(p); }

struct SumPositions {
    float *out; // [positions, 2 · width]
    u16 *out_half;
    const float *partial; // [chunks, 2 · tile, 2 · width]
    const float *rows;    // as in `Relative`
    const u32 *diagonals; // the first chunk of each distance in tiles, and the end of the last
    u32 reach;            // the greatest distance
    u32 first;
    u32 width;
    u32 tile;
    int lowest;    // the first distance in tiles
    u32 distances; // how many there are
    u32 chunk;     // the pass's first chunk, and its last's end
    u32 end;
    u32 c2p;
    u32 p2c;
    u32 add; // whether the sums are added to what is there
    float scale;
};

// The first distance whose position is not below `position`.
DEVICE int first_distance(const SumPositions &p, float position) {
    int from = -(int)p.reach, to = (int)p.reach + 1;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (p.rows[middle] < position) from = middle + 1;
        else to = middle;
    }
    return from;
}

// The sum over the pass's chunks of pairs of tiles `apart`, of row `row` of a chunk.
DEVICE float sum_of(const SumPositions &p, int apart, u32 row, u32 column) {
    if (apart < p.lowest || apart - p.lowest >= (int)p.distances) return 0.0f;
    const u32 *of = p.diagonals + (apart - p.lowest);
    u32 from = of[0] < p.chunk ? p.chunk : of[0], to = smaller(of[1], p.end);
    float sum = 0.0f;
    for (u32 chunk = from; chunk < to; chunk++)
        sum += p.partial[((u64)(chunk - p.chunk) * 2 * p.tile + row) * 2 * p.width + column];
    return sum;
}

// A position's gradients: zeros of a term that scores do not have, and where no distance has the position.
KERNEL(sum_positions, SumPositions) {
    u32 column = BLOCK_Y * THREADS + THREAD;
    if (column >= 2 * p.width) return;
    float sum = 0.0f;
    if (column < p.width ? p.p2c : p.c2p) {
        int to = first_distance(p, (float)(p.first + BLOCK_X + 1)), tile = (int)p.tile;
        for (int distance = first_distance(p, (float)(p.first + BLOCK_X)); distance < to; distance++) {
            // Tiles are so far apart, rounded down; where that is not all, there are also pairs of rows in tiles farther apart.
            int apart = distance >= 0 ? distance / tile : -((tile - 1 - distance) / tile), rest = distance - apart * tile;
            sum += sum_of(p, apart, (u32)(tile - 1 + rest), column);
            if (rest > 0) sum += sum_of(p, apart + 1, (u32)(rest - 1), column);
        }
    }
    u64 at = (u64)BLOCK_X * 2 * p.width + column;
    sum *= p.scale;
    put(p.out, p.out_half, at, p.add ? p.out[at] + sum : sum);
}
