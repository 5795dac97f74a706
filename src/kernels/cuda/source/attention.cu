// Scaled dot-product attention (Vaswani et al. 2017) over sequences of different lengths that lie one after the other.
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
    u32 unused;
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

DEVICE float factor(const Attention &p, const Tile &t, u32 query, u32 key) {
    return dropout_factor(p.dropout, t.mask + (u64)query * p.heads * MASK_WIDTH + key);
}

// Copies `n` rows of a head, zeros behind them.
template <int TILE, int D>
DEVICE void load(float (*to)[D + 1], const float *from, u32 row, u32 n, u32 stride, u32 column, u32 d) {
    for (u32 i = THREAD; i < TILE * D; i += BLOCK) {
        u32 r = i / D, c = i % D;
        to[r][c] = r < n && c < d ? from[(u64)(row + r) * stride + column + c] : 0.0f;
    }
}

template <int D> DEVICE float dot(const float *a, const float *b) {
    float sum = 0.0f;
#pragma unroll 16
    for (int c = 0; c < D; c++) sum += a[c] * b[c];
    return sum;
}

DEVICE u32 smaller(u32 a, u32 b) { return a < b ? a : b; }

// Each row of a tile belongs to BLOCK / TILE neighbouring threads, each of which has D·TILE / BLOCK columns.
#define LANES (BLOCK / TILE)
#define OWN (D / LANES)

// s = q·kᵀ·scale of a tile, where there are queries and keys.
template <int TILE, int D>
DEVICE void scores(float (*s)[TILE + 1], float (*q)[D + 1], float (*k)[D + 1], u32 nq, u32 nk, float scale) {
    for (u32 i = THREAD; i < TILE * TILE; i += BLOCK) {
        u32 r = i / TILE, c = i % TILE;
        if (r < nq && c < nk) s[r][c] = dot<D>(q[r], k[c]) * scale;
    }
}

// The largest of `max` and of a row of scores, known to all of its threads; all of a warp come here.
template <int TILE> DEVICE float larger(float max, float (*s)[TILE + 1], u32 row, u32 nq, u32 nk) {
    if (row < nq)
        for (u32 c = THREAD % LANES; c < nk; c += LANES) max = s[row][c] > max ? s[row][c] : max;
    return lanes_max(max, LANES);
}

template <int TILE, int D> DEVICE void forward(const Attention &p) {
    SHARED(float, q, [TILE][D + 1]);
    SHARED(float, kv, [TILE][D + 1]);
    SHARED(float, s, [TILE][TILE + 1]);
    Tile t = tile_of(p, p.tiles);
    u32 first = t.queries_begin + t.from, nq = smaller(TILE, t.queries_end - first);
    u32 row = THREAD / LANES, lane = THREAD % LANES;
    float max = -INFINITY, sum = 0.0f, out[OWN];
    for (int j = 0; j < OWN; j++) out[j] = 0.0f;
    load<TILE, D>(q, p.q, first, nq, p.q_stride, t.column, p.head_width);
    for (u32 key = t.keys_begin; key < t.keys_end; key += TILE) {
        u32 nk = smaller(TILE, t.keys_end - key);
        load<TILE, D>(kv, p.k, key, nk, p.kv_stride, t.column, p.head_width);
        sync_block();
        scores<TILE, D>(s, q, kv, nq, nk, p.scale);
        sync_block();
        load<TILE, D>(kv, p.v, key, nk, p.kv_stride, t.column, p.head_width);
        float largest = larger<TILE>(max, s, row, nq, nk), part = 0.0f;
        float shrink = expf(max - largest);
        if (row < nq)
            for (u32 c = lane; c < nk; c += LANES) {
                float e = expf(s[row][c] - largest);
                part += e;
                s[row][c] = e * factor(p, t, first + row, key - t.keys_begin + c);
            }
        sum = sum * shrink + lanes_sum(part, LANES);
        max = largest;
        sync_block();
        if (row < nq) {
#pragma unroll
            for (int j = 0; j < OWN; j++) out[j] *= shrink;
            for (u32 c = 0; c < nk; c++) {
                float weight = s[row][c];
#pragma unroll
                for (int j = 0; j < OWN; j++) out[j] += weight * kv[c][lane + j * LANES];
            }
        }
        sync_block();
    }
    if (row < nq) {
        u64 to = (u64)(first + row) * p.width + t.column;
        for (int j = 0; j < OWN; j++) {
            u32 c = lane + j * LANES;
            if (c < p.head_width) put(p.context, p.context_half, to + c, out[j] / sum);
        }
    }
}

// With P the probabilities, M the factors of dropout and dP = (dO·Vᵀ)∘M: dQ = (P∘(dP − Σ P∘dP))·K·scale, by tiles of queries.
// Leaves in `stats` what the keys need.
template <int TILE, int D> DEVICE void backward_queries(const Attention &p) {
    SHARED(float, q, [TILE][D + 1]);
    SHARED(float, d_out, [TILE][D + 1]);
    SHARED(float, kv, [TILE][D + 1]);
    SHARED(float, s, [TILE][TILE + 1]);
    SHARED(float, dp, [TILE][TILE + 1]);
    Tile t = tile_of(p, p.tiles);
    u32 first = t.queries_begin + t.from, nq = smaller(TILE, t.queries_end - first);
    u32 row = THREAD / LANES, lane = THREAD % LANES, keys = t.keys_end - t.keys_begin;
    float max = -INFINITY, sum = 0.0f, delta = 0.0f, out[OWN];
    for (int j = 0; j < OWN; j++) out[j] = 0.0f;
    load<TILE, D>(q, p.q, first, nq, p.q_stride, t.column, p.head_width);
    load<TILE, D>(d_out, p.d_context, first, nq, p.width, t.column, p.head_width);
    // Twice through the keys: for the sums, then for the gradient. What one tile holds is computed once.
    for (u32 turn = 0; turn < 2; turn++) {
        for (u32 key = t.keys_begin; key < t.keys_end; key += TILE) {
            u32 nk = smaller(TILE, t.keys_end - key);
            if (turn == 0 || keys > TILE) {
                load<TILE, D>(kv, p.v, key, nk, p.kv_stride, t.column, p.head_width);
                sync_block();
                for (u32 i = THREAD; i < TILE * TILE; i += BLOCK) {
                    u32 r = i / TILE, c = i % TILE;
                    if (r < nq && c < nk)
                        dp[r][c] = dot<D>(d_out[r], kv[c]) * factor(p, t, first + r, key - t.keys_begin + c);
                }
                sync_block();
                load<TILE, D>(kv, p.k, key, nk, p.kv_stride, t.column, p.head_width);
                sync_block();
                scores<TILE, D>(s, q, kv, nq, nk, p.scale);
                sync_block();
            }
            if (turn == 0) {
                float largest = larger<TILE>(max, s, row, nq, nk), part = 0.0f, part_delta = 0.0f;
                float shrink = expf(max - largest);
                if (row < nq)
                    for (u32 c = lane; c < nk; c += LANES) {
                        float e = expf(s[row][c] - largest);
                        part += e;
                        part_delta += e * dp[row][c];
                    }
                sum = sum * shrink + lanes_sum(part, LANES);
                delta = delta * shrink + lanes_sum(part_delta, LANES);
                max = largest;
            } else if (row < nq) {
                for (u32 c = 0; c < nk; c++) {
                    float weight = expf(s[row][c] - max) / sum * (dp[row][c] - delta / sum);
#pragma unroll
                    for (int j = 0; j < OWN; j++) out[j] += weight * kv[c][lane + j * LANES];
                }
            }
            sync_block();
        }
    }
    if (row < nq) {
        u64 to = (u64)(first + row) * p.q_stride + t.column;
        for (int j = 0; j < OWN; j++) {
            u32 c = lane + j * LANES;
            if (c < p.head_width) put(p.dq, p.dq_half, to + c, out[j] * p.scale);
        }
        if (lane == 0) {
            float *stats = p.stats + ((u64)(first + row) * p.heads + BLOCK_Y) * 2;
            stats[0] = max + logf(sum);
            stats[1] = delta / sum;
        }
    }
}

// dV = (P∘M)ᵀ·dO and dK = (P∘(dP − Σ P∘dP))ᵀ·Q·scale, by tiles of keys.
template <int TILE, int D> DEVICE void backward_keys(const Attention &p) {
    SHARED(float, k, [TILE][D + 1]);
    SHARED(float, v, [TILE][D + 1]);
    SHARED(float, q, [TILE][D + 1]);
    SHARED(float, d_out, [TILE][D + 1]);
    SHARED(float, s, [TILE][TILE + 1]);
    SHARED(float, ds, [TILE][TILE + 1]);
    Tile t = tile_of(p, p.tiles);
    u32 first = t.keys_begin + t.from, nk = smaller(TILE, t.keys_end - first);
    u32 row = THREAD / LANES, lane = THREAD % LANES;
    float dk[OWN], dv[OWN];
    for (int j = 0; j < OWN; j++) dk[j] = dv[j] = 0.0f;
    load<TILE, D>(k, p.k, first, nk, p.kv_stride, t.column, p.head_width);
    load<TILE, D>(v, p.v, first, nk, p.kv_stride, t.column, p.head_width);
    for (u32 query = t.queries_begin; query < t.queries_end; query += TILE) {
        u32 nq = smaller(TILE, t.queries_end - query);
        load<TILE, D>(q, p.q, query, nq, p.q_stride, t.column, p.head_width);
        load<TILE, D>(d_out, p.d_context, query, nq, p.width, t.column, p.head_width);
        sync_block();
        for (u32 i = THREAD; i < TILE * TILE; i += BLOCK) {
            u32 r = i / TILE, c = i % TILE;
            if (r < nq && c < nk) {
                const float *stats = p.stats + ((u64)(query + r) * p.heads + BLOCK_Y) * 2;
                float weight = expf(dot<D>(q[r], k[c]) * p.scale - stats[0]);
                float kept = factor(p, t, query + r, t.from + c);
                s[r][c] = weight * kept;
                ds[r][c] = weight * (dot<D>(d_out[r], v[c]) * kept - stats[1]);
            }
        }
        sync_block();
        if (row < nk) {
            for (u32 r = 0; r < nq; r++) {
                float weight = s[r][row], d_weight = ds[r][row];
#pragma unroll
                for (int j = 0; j < OWN; j++) {
                    dv[j] += weight * d_out[r][lane + j * LANES];
                    dk[j] += d_weight * q[r][lane + j * LANES];
                }
            }
        }
        sync_block();
    }
    if (row < nk) {
        u64 to = (u64)(first + row) * p.kv_stride + t.column;
        for (int j = 0; j < OWN; j++) {
            u32 c = lane + j * LANES;
            if (c < p.head_width) {
                put(p.dk, p.dk_half, to + c, dk[j] * p.scale);
                put(p.dv, p.dv_half, to + c, dv[j]);
            }
        }
    }
}

#undef LANES
#undef OWN

// Heads of up to 64 numbers, and of up to 128.
KERNEL(attention_64, Attention) { forward<32, 64>(p); }
KERNEL(attention_128, Attention) { forward<16, 128>(p); }
KERNEL(attention_queries_64, Attention) { backward_queries<32, 64>(p); }
KERNEL(attention_queries_128, Attention) { backward_queries<16, 128>(p); }
KERNEL(attention_keys_64, Attention) { backward_keys<32, 64>(p); }
KERNEL(attention_keys_128, Attention) { backward_keys<16, 128>(p); }
