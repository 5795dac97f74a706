// Losses and their gradients, in float64. One block each: the order of sums depends on shapes alone.
#include "common.h"

struct CrossEntropy {
    float *d_logits;
    const float *logits;
    const float *targets;
    Sums *sums;
    u32 rows;
    u32 labels;
};

// Adds −Σ targets·log softmax(logits) to the loss; d = softmax·Σ targets − targets. One block; a thread for each row.
KERNEL(cross_entropy, CrossEntropy) {
    SHARED(double, shared, [WARP]);
    double loss = 0.0;
    for (u32 row = THREAD; row < p.rows; row += THREADS) {
        const float *x = p.logits + (u64)row * p.labels, *t = p.targets + (u64)row * p.labels;
        float *d = p.d_logits + (u64)row * p.labels;
        double max = x[0], sum = 0.0, whole = 0.0;
        for (u32 c = 1; c < p.labels; c++) max = x[c] > max ? (double)x[c] : max;
        for (u32 c = 0; c < p.labels; c++) {
            sum += exp((double)x[c] - max);
            whole += t[c];
        }
        double log_sum = max + log(sum);
        // Of an impossible logit (NaN, two infinities) no row is free.
        if (log_sum != log_sum) loss = log_sum;
        for (u32 c = 0; c < p.labels; c++) {
            double log_p = (double)x[c] - log_sum;
            // Where nothing is asked for, an impossible class costs nothing.
            if (t[c] != 0.0f) loss -= t[c] * log_p;
            d[c] = (float)(exp(log_p) * whole - t[c]);
        }
    }
    loss = block_sum(loss, shared);
    if (THREAD == 0) p.sums->loss += loss;
}

struct FocalLoss {
    float *d_logits;
    const float *logits;
    const float *targets;
    Sums *sums;
    double gamma;
    u32 rows;
    u32 labels;
};

// Of one class with probability p: what it costs, p, 1 − p, and p·(the derivative of the cost by p).
struct Focal {
    double loss, p, rest, slope;
};

// `x` is the logit below the largest of the row; `others` the sum of the exponentials of all but that one, the `top`. It gives log p and
// 1 − p to the last digit where p is near 1.
DEVICE Focal focal(double x, bool top, double t, double others, double gamma) {
    double sum = 1.0 + others, log_p = x - log1p(others), exponential = exp(x);
    double p = exponential / sum, rest = (top ? others : sum - exponential) / sum;
    // Where nothing is asked for, an impossible class costs nothing.
    if (t == 0.0) return Focal{0.0, p, rest, 0.0};
    double weight = t * exp(gamma * log(rest));
    // p·log p / (1 − p) is −1 at p = 1, where the weight is 0, and 0 at p = 0.
    double ratio = p == 0.0 || rest == 0.0 ? 0.0 : p * log_p / rest;
    return Focal{-weight * log_p, p, rest, weight * (gamma * ratio - 1.0)};
}

// Adds −Σ targets·(1 − p)^gamma·log p of p = softmax(logits) to the loss. A thread for each row.
KERNEL(focal_loss, FocalLoss) {
    SHARED(double, shared, [WARP]);
    double loss = 0.0;
    for (u32 row = THREAD; row < p.rows; row += THREADS) {
        const float *x = p.logits + (u64)row * p.labels, *t = p.targets + (u64)row * p.labels;
        float *d = p.d_logits + (u64)row * p.labels;
        u32 top = 0;
        for (u32 c = 1; c < p.labels; c++) top = x[c] > x[top] ? c : top;
        double max = x[top], others = 0.0, whole = 0.0;
        for (u32 c = 0; c < p.labels; c++)
            if (c != top) others += exp((double)x[c] - max);
        // Of an impossible logit (NaN, two infinities) no row is free: max − max is 0 for finite numbers alone.
        double spoilt = (max - max) + others;
        if (spoilt != spoilt) {
            loss = spoilt;
            for (u32 c = 0; c < p.labels; c++) d[c] = (float)spoilt;
            continue;
        }
        for (u32 c = 0; c < p.labels; c++) {
            Focal of = focal((double)x[c] - max, c == top, t[c], others, p.gamma);
            loss += of.loss;
            whole += of.slope;
        }
        for (u32 c = 0; c < p.labels; c++) {
            Focal of = focal((double)x[c] - max, c == top, t[c], others, p.gamma);
            // slope − p·whole, without its cancellation where p is near 1.
            d[c] = (float)(of.slope * of.rest - of.p * (whole - of.slope));
        }
    }
    loss = block_sum(loss, shared);
    if (THREAD == 0) p.sums->loss += loss;
}

struct BinaryCrossEntropy {
    float *d_logits;
    const float *logits;
    const float *targets; // (a, b) of each logit
    Sums *sums;
    double gamma;
    u64 len;
};

// 0·∞ is not a loss, and p·log p is 0 at p = 0.
DEVICE double cost(double factor, double cost) { return factor == 0.0 ? 0.0 : factor * cost; }

// Adds −Σ (a·(1 − p)^gamma·log p + b·p^gamma·log(1 − p)) of p = σ(logits) to the loss.
KERNEL(binary_cross_entropy, BinaryCrossEntropy) {
    SHARED(double, shared, [WARP]);
    double loss = 0.0;
    for (u64 i = THREAD; i < p.len; i += THREADS) {
        double x = p.logits[i], a = p.targets[2 * i], b = p.targets[2 * i + 1];
        // Of e^(−|x|) ≤ 1 nothing overflows, and the smaller of p and 1 − p does not cancel.
        double z = exp(x < 0.0 ? x : -x), smaller = z / (1.0 + z), larger = 1.0 / (1.0 + z), of_larger = log1p(z);
        bool below = x < 0.0;
        double own = below ? smaller : larger, rest = below ? larger : smaller;
        double of_own = below ? of_larger - x : of_larger, of_rest = below ? of_larger : of_larger + x; // −log p, −log(1 − p)
        if (p.gamma != 0.0) {
            a *= exp(-p.gamma * of_rest);
            b *= exp(-p.gamma * of_own);
        }
        loss += x != x ? x : cost(a, of_own) + cost(b, of_rest);
        p.d_logits[i] = (float)(b * (p.gamma * cost(rest, of_rest) + own) - a * (p.gamma * cost(own, of_own) + rest));
    }
    loss = block_sum(loss, shared);
    if (THREAD == 0) p.sums->loss += loss;
}

struct SquaredError {
    float *d_outputs;
    const float *outputs;
    const float *targets; // (value, factor) of each output
    Sums *sums;
    u64 len;
};

// Adds Σ factor·(output − value)² to the loss.
KERNEL(squared_error, SquaredError) {
    SHARED(double, shared, [WARP]);
    double loss = 0.0;
    for (u64 i = THREAD; i < p.len; i += THREADS) {
        double x = p.outputs[i], factor = p.targets[2 * i + 1];
        // Where nothing is asked for, an output costs nothing; one that is no number is never free.
        double error = factor == 0.0 && x == x ? 0.0 : x - p.targets[2 * i];
        loss += factor * error * error;
        p.d_outputs[i] = (float)(2.0 * factor * error);
    }
    loss = block_sum(loss, shared);
    if (THREAD == 0) p.sums->loss += loss;
}
