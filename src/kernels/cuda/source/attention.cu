// Scaled dot-product attention (Vaswani et al. 2017), of whole sequences or within a window, over sequences of different lengths that
// lie one after the other.
//
// A block works on one head of one tile of TILE queries (or keys) of a sequence and goes through the sequence's keys (or
// queries) tile by tile, so that no row of probabilities has to fit anywhere (Milakov & Gimelshein 2018; Dao et al. 2022). The
// backward pass computes the probabilities again.
#include "common.h"

// Widths of the dropout mask: the longest sequence that it can tell apart.
#define MASK_WIDTH 8192

struct Attention {
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

DEVICE Tile tile_of(const Attention &p, const u32 *tiles) {
    Tile t;
    u32 sequence = tiles ? tiles[2 * BLOCK_X] : BLOCK_X;
    t.from = tiles ? tiles[2 * BLOCK_X + 1] : 0;
    t.keys_begin = p.offsets[sequence];
    t.keys_end = p.offsets[sequence + 1];
    t.queries_begin = p.first_only ? sequence : t.keys_begin;
    t.queries_end = p.first_only ? sequence + 1 : t.keys_end;
    t.column = BLOCK_Y * p.head_width;
    t.mask = p.dropout.first_row * p.heads * MASK_WIDTH + (u64)BLOCK_Y * MASK_WIDTH;
    return t;
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

// Copies `n` rows of a head, zeros behind them.
template <int TILE, int D>
DEVICE void load(float (*to)[WIDTH], const float *from, u32 row, u32 n, u32 stride, u32 column, u32 d) {
#pragma unroll
    for (u32 i = 0; i < TILE * D / 4 / BLOCK; i++) {
        u32 r = (THREAD + i * BLOCK) / (D / 4), c = (THREAD + i * BLOCK) % (D / 4) * 4;
        const float *at = from + (u64)(row + r) * stride + column + c;
        Four x = {0.0f, 0.0f, 0.0f, 0.0f};
        if (r < n) {
            // With heads of a multiple of four numbers, so are strides and columns.
            if (d % 4 == 0 && c < d) x = four(at);
            if (d % 4 != 0)
                for (u32 e = 0; e < 4; e++)
                    if (c + e < d) x.at[e] = at[e];
        }
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

// The largest of `max` and of a row of scores, known to all of its threads; all of a warp come here.
template <int TILE> DEVICE float larger(float max, float (*s)[TILE + 4], u32 row, u32 nq, u32 nk) {
    if (row < nq)
        for (u32 c = THREAD % LANES; c < nk; c += LANES) max = s[row][c] > max ? s[row][c] : max;
    return lanes_max(max, LANES);
}

// e^(score - largest), 0 for keys that are not seen; a row may have seen none so far.
DEVICE float weight_of(float score, float largest) { return score == -INFINITY ? 0.0f : expf(score - largest); }

template <int TILE, int D> DEVICE void forward(const Attention &p) {
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, v, [TILE][WIDTH]);
    SHARED(float, s, [TILE][TILE + 4]);
    Tile t = tile_of(p, p.tiles);
    u32 first = t.queries_begin + t.from, nq = smaller(TILE, t.queries_end - first);
    u32 row = THREAD / LANES, lane = THREAD % LANES;
    float max = -INFINITY, sum = 0.0f, out[OWN];
    for (int j = 0; j < OWN; j++) out[j] = 0.0f;
    load<TILE, D>(q, p.q, first, nq, p.q_stride, t.column, p.head_width);
    u32 keys_end = t.keys_begin + end_reached<TILE>(p, t.from, t.keys_end - t.keys_begin);
    for (u32 key = t.keys_begin + first_reached<TILE>(p, t.from); key < keys_end; key += TILE) {
        u32 nk = smaller(TILE, t.keys_end - key);
        load<TILE, D>(k, p.k, key, nk, p.kv_stride, t.column, p.head_width);
        load<TILE, D>(v, p.v, key, nk, p.kv_stride, t.column, p.head_width);
        sync_block();
        float x[PER][PER];
        products<TILE, D>(x, q, k);
#pragma unroll
        for (int i = 0; i < PER; i++)
#pragma unroll
            for (int j = 0; j < PER; j++) {
                u32 r = THREAD / SIDE + i * SIDE, c = THREAD % SIDE + j * SIDE;
                float score = visible(p, t.from + r, key - t.keys_begin + c) ? x[i][j] * p.scale : -INFINITY;
                s[r][c] = r < nq && c < nk ? score : 0.0f;
            }
        sync_block();
        float largest = larger<TILE>(max, s, row, nq, nk), part = 0.0f;
        float shrink = weight_of(max, largest);
        if (row < nq) {
            float kept[TILE / LANES], some[PER];
#pragma unroll
            for (int i = 0; i < SIDE / LANES; i++) {
                factors<PER>(p, t, first + row, key - t.keys_begin + lane + i * LANES, some);
#pragma unroll
                for (int j = 0; j < PER; j++) kept[i + j * (SIDE / LANES)] = some[j];
            }
#pragma unroll
            for (int i = 0; i < TILE / LANES; i++) {
                u32 c = lane + i * LANES;
                if (c >= nk) continue;
                float e = weight_of(s[row][c], largest);
                part += e;
                s[row][c] = e * kept[i];
            }
        }
        sum = sum * shrink + lanes_sum(part, LANES);
        max = largest;
        sync_block();
        if (row < nq) {
#pragma unroll
            for (int j = 0; j < OWN; j++) out[j] *= shrink;
            add_rows_of<TILE, D>(out, s[row], v, nk);
        }
        sync_block();
    }
    if (row < nq) {
#pragma unroll
        for (int j = 0; j < OWN; j++) out[j] /= sum;
        store<TILE, D>(p.context, p.context_half, (u64)(first + row) * p.width + t.column, out, p.head_width);
    }
}

// With P the probabilities, M the factors of dropout and dP = (dO·Vᵀ)∘M: dQ = (P∘(dP − Σ P∘dP))·K·scale, by tiles of queries.
// Leaves in `stats` what the keys need.
template <int TILE, int D> DEVICE void backward_queries(const Attention &p) {
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, d_out, [TILE][WIDTH]);
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, v, [TILE][WIDTH]);
    SHARED(float, s, [TILE][TILE + 4]);
    SHARED(float, dp, [TILE][TILE + 4]);
    Tile t = tile_of(p, p.tiles);
    u32 first = t.queries_begin + t.from, nq = smaller(TILE, t.queries_end - first);
    u32 row = THREAD / LANES, lane = THREAD % LANES, keys = t.keys_end - t.keys_begin;
    float max = -INFINITY, sum = 0.0f, delta = 0.0f, out[OWN];
    for (int j = 0; j < OWN; j++) out[j] = 0.0f;
    load<TILE, D>(q, p.q, first, nq, p.q_stride, t.column, p.head_width);
    load<TILE, D>(d_out, p.d_context, first, nq, p.width, t.column, p.head_width);
    // Twice through the keys: for the sums, then for the gradient. What one tile holds is computed once.
    u32 keys_end = t.keys_begin + end_reached<TILE>(p, t.from, keys);
    for (u32 turn = 0; turn < 2; turn++) {
        for (u32 key = t.keys_begin + first_reached<TILE>(p, t.from); key < keys_end; key += TILE) {
            u32 nk = smaller(TILE, t.keys_end - key);
            if (turn == 0 || keys > TILE) {
                load<TILE, D>(k, p.k, key, nk, p.kv_stride, t.column, p.head_width);
                load<TILE, D>(v, p.v, key, nk, p.kv_stride, t.column, p.head_width);
                sync_block();
                float x[PER][PER], y[PER][PER];
                products<TILE, D>(x, q, k);
                products<TILE, D>(y, d_out, v);
#pragma unroll
                for (int i = 0; i < PER; i++) {
                    u32 r = THREAD / SIDE + i * SIDE, c = THREAD % SIDE;
                    float kept[PER];
                    factors<PER>(p, t, first + r, key - t.keys_begin + c, kept);
#pragma unroll
                    for (int j = 0; j < PER; j++, c += SIDE) {
                        bool inside = r < nq && c < nk;
                        float score = visible(p, t.from + r, key - t.keys_begin + c) ? x[i][j] * p.scale : -INFINITY;
                        s[r][c] = inside ? score : 0.0f;
                        dp[r][c] = inside ? y[i][j] * kept[j] : 0.0f;
                    }
                }
                sync_block();
            }
            if (turn == 0) {
                float largest = larger<TILE>(max, s, row, nq, nk), part = 0.0f, part_delta = 0.0f;
                float shrink = weight_of(max, largest);
                if (row < nq)
                    for (u32 c = lane; c < nk; c += LANES) {
                        float e = weight_of(s[row][c], largest);
                        part += e;
                        part_delta += e * dp[row][c];
                    }
                sum = sum * shrink + lanes_sum(part, LANES);
                delta = delta * shrink + lanes_sum(part_delta, LANES);
                max = largest;
            } else {
                if (row < nq)
                    for (u32 c = lane; c < nk; c += LANES)
                        s[row][c] = expf(s[row][c] - max) / sum * (dp[row][c] - delta / sum);
                sync_block();
                if (row < nq) add_rows_of<TILE, D>(out, s[row], k, nk);
            }
            sync_block();
        }
    }
    if (row < nq) {
#pragma unroll
        for (int j = 0; j < OWN; j++) out[j] *= p.scale;
        store<TILE, D>(p.dq, p.dq_half, (u64)(first + row) * p.q_stride + t.column, out, p.head_width);
        if (lane == 0) {
            float *stats = p.stats + ((u64)(first + row) * p.heads + BLOCK_Y) * 2;
            stats[0] = max + logf(sum);
            stats[1] = delta / sum;
        }
    }
}

// dV = (P∘M)ᵀ·dO and dK = (P∘(dP − Σ P∘dP))ᵀ·Q·scale, by tiles of keys.
template <int TILE, int D> DEVICE void backward_keys(const Attention &p) {
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, v, [TILE][WIDTH]);
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, d_out, [TILE][WIDTH]);
    SHARED(float, s, [TILE][TILE + 4]); // a row for each key
    SHARED(float, ds, [TILE][TILE + 4]);
    Tile t = tile_of(p, p.tiles);
    u32 first = t.keys_begin + t.from, nk = smaller(TILE, t.keys_end - first);
    u32 row = THREAD / LANES;
    float dk[OWN], dv[OWN];
    for (int j = 0; j < OWN; j++) dk[j] = dv[j] = 0.0f;
    load<TILE, D>(k, p.k, first, nk, p.kv_stride, t.column, p.head_width);
    load<TILE, D>(v, p.v, first, nk, p.kv_stride, t.column, p.head_width);
    u32 queries_end = t.queries_begin + end_reached<TILE>(p, t.from, t.queries_end - t.queries_begin);
    for (u32 query = t.queries_begin + first_reached<TILE>(p, t.from); query < queries_end; query += TILE) {
        u32 nq = smaller(TILE, t.queries_end - query);
        load<TILE, D>(q, p.q, query, nq, p.q_stride, t.column, p.head_width);
        load<TILE, D>(d_out, p.d_context, query, nq, p.width, t.column, p.head_width);
        sync_block();
        float x[PER][PER], y[PER][PER];
        products<TILE, D>(x, q, k);
        products<TILE, D>(y, d_out, v);
#pragma unroll
        for (int i = 0; i < PER; i++) {
            u32 r = THREAD / SIDE + i * SIDE, c = THREAD % SIDE;
            const float *stats = p.stats + ((u64)(query + r) * p.heads + BLOCK_Y) * 2;
            float kept[PER];
            factors<PER>(p, t, query + r, t.from + c, kept);
#pragma unroll
            for (int j = 0; j < PER; j++, c += SIDE) {
                float weight = 0.0f, d_weight = 0.0f;
                if (r < nq && c < nk && visible(p, query - t.queries_begin + r, t.from + c)) {
                    weight = expf(x[i][j] * p.scale - stats[0]);
                    d_weight = weight * (y[i][j] * kept[j] - stats[1]);
                    weight *= kept[j];
                }
                s[c][r] = weight;
                ds[c][r] = d_weight;
            }
        }
        sync_block();
        if (row < nk) {
            add_rows_of<TILE, D>(dv, s[row], d_out, nq);
            add_rows_of<TILE, D>(dk, ds[row], q, nq);
        }
        sync_block();
    }
    if (row < nk) {
        u64 to = (u64)(first + row) * p.kv_stride + t.column;
#pragma unroll
        for (int j = 0; j < OWN; j++) dk[j] *= p.scale;
        store<TILE, D>(p.dk, p.dk_half, to, dk, p.head_width);
        store<TILE, D>(p.dv, p.dv_half, to, dv, p.head_width);
    }
}

#undef WIDTH
#undef SIDE
#undef PER
#undef COLUMN
#undef LANES
#undef OWN

// Heads of up to 64 numbers, and of up to 128.
KERNEL(attention_64, Attention) { forward<32, 64>(p); }
KERNEL(attention_128, Attention) { forward<16, 128>(p); }
KERNEL(attention_queries_64, Attention) { backward_queries<32, 64>(p); }
KERNEL(attention_queries_128, Attention) { backward_queries<16, 128>(p); }
KERNEL(attention_keys_64, Attention) { backward_keys<32, 64>(p); }
KERNEL(attention_keys_128, Attention) { backward_keys<16, 128>(p); }
