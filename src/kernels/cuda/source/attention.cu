// Scaled dot-product attention (Vaswani et al. 2017), of whole sequences or within a window, over sequences of different lengths that
// lie one after the other.
//
// A block works on one head of one tile of TILE queries (or keys) of a sequence and goes through the sequence's keys (or
// queries) tile by tile, so that no row of probabilities has to fit anywhere (Milakov & Gimelshein 2018; Dao et al. 2022). The
// backward pass computes the probabilities again.
#include "positions.h"

// The largest of `max` and of a row of scores, known to all of its threads; all of a warp come here.
template <int TILE> DEVICE float larger(float max, float (*s)[TILE + 4], u32 row, u32 nq, u32 nk) {
    if (row < nq)
        for (u32 c = THREAD % LANES; c < nk; c += LANES) max = s[row][c] > max ? s[row][c] : max;
    return lanes_max(max, LANES);
}

// e^(score - largest), 0 for keys that are not seen; a row may have seen none so far.
DEVICE float weight_of(float score, float largest) { return score == -INFINITY ? 0.0f : expf(score - largest); }

template <int TILE, int D, class P> DEVICE void forward(const P &p) {
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, v, [P::RELATIVE ? ROOM : TILE][WIDTH]); // with relative positions, at first these
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
        const auto near = near_positions<TILE>(p, t.from - (key - t.keys_begin), nq, nk);
        load<TILE, D>(k, p.k, key, nk, p.kv_stride, t.column, p.head_width);
        if (!P::RELATIVE) load<TILE, D>(v, p.v, key, nk, p.kv_stride, t.column, p.head_width);
        sync_block();
        float x[PER][PER];
        products<TILE, D>(x, q, k);
        if (P::RELATIVE) {
            add_positions<TILE, D>(x, q, k, v, near, p, t.column);
            load<TILE, D>(v, p.v, key, nk, p.kv_stride, t.column, p.head_width);
        }
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
template <int TILE, int D, class P> DEVICE void backward_queries(const P &p) {
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, d_out, [TILE][WIDTH]);
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, v, [P::RELATIVE ? ROOM : TILE][WIDTH]); // after its product the relative positions
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
            const auto near = near_positions<TILE>(p, t.from - (key - t.keys_begin), nq, nk);
            if (turn == 0 || keys > TILE) {
                load<TILE, D>(k, p.k, key, nk, p.kv_stride, t.column, p.head_width);
                load<TILE, D>(v, p.v, key, nk, p.kv_stride, t.column, p.head_width);
                sync_block();
                float x[PER][PER], y[PER][PER];
                products<TILE, D>(x, q, k);
                products<TILE, D>(y, d_out, v);
                if (P::RELATIVE) {
                    sync_block();
                    add_positions<TILE, D>(x, q, k, v, near, p, t.column);
                }
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
                add_keys_of_positions<TILE, D>(out, s, nq, nk, v, near, p, t.column);
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
template <int TILE, int D, class P> DEVICE void backward_keys(const P &p) {
    SHARED(float, k, [TILE][WIDTH]);
    SHARED(float, v, [TILE][WIDTH]);
    SHARED(float, q, [TILE][WIDTH]);
    SHARED(float, d_out, [P::RELATIVE ? ROOM : TILE][WIDTH]); // before and after its use the relative positions
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
        const auto near = near_positions<TILE>(p, query - t.queries_begin - t.from, nq, nk);
        load<TILE, D>(q, p.q, query, nq, p.q_stride, t.column, p.head_width);
        if (!P::RELATIVE) load<TILE, D>(d_out, p.d_context, query, nq, p.width, t.column, p.head_width);
        sync_block();
        float x[PER][PER], y[PER][PER];
        products<TILE, D>(x, q, k);
        if (P::RELATIVE) {
            add_positions<TILE, D>(x, q, k, d_out, near, p, t.column);
            load<TILE, D>(d_out, p.d_context, query, nq, p.width, t.column, p.head_width);
            sync_block();
        }
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
        add_queries_of_positions<TILE, D>(dk, ds, nk, nq, d_out, near, p, t.column);
    }
    if (row < nk) {
        u64 to = (u64)(first + row) * p.kv_stride + t.column;
#pragma unroll
        for (int j = 0; j < OWN; j++) dk[j] *= p.scale;
        store<TILE, D>(p.dk, p.dk_half, to, dk, p.head_width);
        store<TILE, D>(p.dv, p.dv_half, to, dv, p.head_width);
    }
}

// Heads of up to 64 numbers, and of up to 128.
KERNEL(attention_64, Attention) { forward<32, 64>(p); }
KERNEL(attention_128, Attention) { forward<16, 128>(p); }
KERNEL(attention_queries_64, Attention) { backward_queries<32, 64>(p); }
KERNEL(attention_queries_128, Attention) { backward_queries<16, 128>(p); }
KERNEL(attention_keys_64, Attention) { backward_keys<32, 64>(p); }
KERNEL(attention_keys_128, Attention) { backward_keys<16, 128>(p); }

// The same with relative positions.
KERNEL(attention_relative_64, Relative) { forward<32, 64>(p); }
KERNEL(attention_relative_128, Relative) { forward<16, 128>(p); }
KERNEL(attention_relative_queries_64, Relative) { backward_queries<32, 64>(p); }
KERNEL(attention_relative_queries_128, Relative) { backward_queries<16, 128>(p); }
KERNEL(attention_relative_keys_64, Relative) { backward_keys<32, 64>(p); }
KERNEL(attention_relative_keys_128, Relative) { backward_keys<16, 128>(p); }
