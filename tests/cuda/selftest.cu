// Kernels that try the emulator itself: right ones, and ones with the mistakes that it is to find.
#include "platform.h"

struct Line {
    u64 x;
    u32 n;
    u32 what;
};

// x[block] ← the sum of the numbers of its threads, by shuffles and shared memory; without the barrier where `what` is 1.
KERNEL(block_sums, Line) {
    SHARED(float, sums, [8]);
    float sum = (float)(BLOCK_X * 1000 + THREAD);
    for (u32 mask = 16; mask; mask /= 2) sum += shuffle_xor(sum, mask);
    if (THREAD % 32 == 0) sums[THREAD / 32] = sum;
    if (p.what != 1) sync_block();
    float total = 0;
    for (u32 i = 0; i < THREADS / 32; i++) total += sums[i];
    if (THREAD == 0) ((float*)p.x)[BLOCK_X] = total;
}

// x[i] ← the value of lane i ^ what, in each type.
KERNEL(exchange, Line) {
    u32 first = shuffle_xor<u32>(THREAD, p.what);
    double second = shuffle_xor<double>(THREAD + 0.25, p.what);
    float third = shuffle_xor<float>(THREAD + 0.5f, p.what);
    ((double*)p.x)[THREAD] = first + 1000 * second + 1000000.0 * third;
}

// Some threads come to no barrier (0), to another one (1), to no shuffle (2), or end in the middle of a block's loop (3).
KERNEL(divergent, Line) {
    if (p.what == 0 && THREAD < 40) sync_block();
    if (p.what == 1) {
        if (THREAD < 32) sync_block();
        else
            sync_block();
    }
    if (p.what == 2 && THREAD != 5) shuffle_xor(1.0f, 1);
    for (u32 i = 0; p.what == 3 && i < 10; i++) {
        if (THREAD == 7 && i == 4) return;
        sync_block();
    }
}

// Writes n numbers from x on (0), one past the end of a shared array (1), or x ← a shared number that nobody wrote (2).
KERNEL(writes, Line) {
    SHARED(float, few, [4][2]);
    SHARED(u32, more, [3]);
    if (p.what == 0)
        for (u32 i = THREAD; i < p.n; i += THREADS) ((float*)p.x)[i] = (float)i;
    if (p.what == 1 && THREAD == 0) {
        volatile u32 end = 3;
        more[end] = 1;
    }
    if (p.what == 2 && THREAD == 0) *(float*)p.x = few[3][1];
}

// What a block sees of its number and its neighbours: x[block_y * blocks_x + block_x] ← block_x + 100 block_y + 10000 threads.
KERNEL(numbers, Line) {
    if (THREAD == THREADS - 1)
        ((u32*)p.x)[BLOCK_Y * BLOCKS_X + BLOCK_X] = BLOCK_X + 100 * BLOCK_Y + 10000 * THREADS;
}

// Many barriers and shuffles: what the emulator costs.
KERNEL(busy, Line) {
    SHARED(float, all, [256]);
    all[THREAD] = 1;
    for (u32 i = 0; i < p.n; i++) {
        sync_block();
        float next = all[(THREAD + 1) % THREADS] + shuffle_xor(0.0f, 1);
        sync_block();
        all[THREAD] = next;
    }
    if (THREAD == 0) ((float*)p.x)[BLOCK_X] = all[0];
}
