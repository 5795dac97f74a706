// Runs kernels on the processor: what `platform.h` promises, made of fibers.
//
// Each thread of a block is a fiber with a stack of its own, and runs from barrier to barrier: one warp after the other, in it
// one lane after the other, in an order that can be chosen. Where threads of an interval between two barriers depend on each
// other, another order gives another result. A barrier or a shuffle to which some threads never come is an error with a message.
// Shared memory begins as NaNs in every block, with guards between arrays.
//
// KERNEL(name, Params) becomes `int name(const void* params, u64 size, u32 grid_x, u32 grid_y, u32 threads)`: not 0 where it
// failed, and then `emulator_error()` says why; `name_size()` is that of the parameters. Each thread of the process has an emulator of its own.
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

// A place that can be jumped back to, from another stack too. Where the compiler has its own, that is several times as fast.
#if defined(__x86_64__)
typedef void* Jump[5];
#define MARK(jump) __builtin_setjmp(jump)
__attribute__((noinline, noreturn)) static void jump_to(void** jump) { __builtin_longjmp(jump, 1); }
#else
typedef jmp_buf Jump;
#define MARK(jump) _setjmp(jump)
static void jump_to(jmp_buf jump) { _longjmp(jump, 1); }
#endif

namespace emulator {

const u32 MOST_THREADS = 1024, WARP = 32, MOST_SHARED = 48 * 1024, MOST_ARRAYS = 32, GUARD = 64;
const u64 STACK = 64 * 1024, PAGE = 4096;

enum Order : u32 { FORWARD, BACKWARD, SHUFFLED };
enum State : u32 { READY, AT_BARRIER, AT_SHUFFLE, ENDED };

// Where in the source a thread waits.
struct Place {
    const char* file;
    int line;
    bool operator!=(const Place& other) const {
        return line != other.line || (file != other.file && strcmp(file, other.file) != 0);
    }
};

struct Fiber {
    Jump at;
    State state;
    Place place;
    bool begun;         // the fiber is in its loop, and `at` says where
    u32 shuffles;       // how many it has passed
    u64 exchanged[2];   // its value in this shuffle and in the last one, which others may not have read yet
};

struct Array {
    const void* key;
    unsigned char* begin;
    u64 bytes;
};

struct Machine {
    u32 thread, threads, block_x, block_y, blocks_x; // what a kernel asks for
    Order order;
    u64 random;
    const char* kernel;
    void (*body)(const void*);
    const void* params;
    Jump scheduler;
    unsigned char* stacks;
    u32 arrays;
    u64 shared_bytes;
    bool failed;
    char error[512];
    Array array[MOST_ARRAYS];
    u32 permutation[MOST_THREADS / WARP + WARP];
    Fiber fiber[MOST_THREADS];
    alignas(256) unsigned char shared[MOST_SHARED + MOST_ARRAYS * (GUARD + 16)];
};

// A plain pointer, so that the kernels reach it without a call.
#if defined(__GLIBC__)
__attribute__((tls_model("initial-exec")))
#endif
static thread_local Machine* machine = nullptr;

struct Owner {
    Machine* owned = nullptr;
    ~Owner() {
        if (owned) munmap(owned->stacks, MOST_THREADS * STACK), delete owned;
    }
};

inline Machine* begin() {
    static thread_local Owner owner;
    if (!owner.owned) {
        owner.owned = machine = new Machine();
        void* stacks = mmap(nullptr, MOST_THREADS * STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        machine->stacks = stacks == MAP_FAILED ? nullptr : (unsigned char*)stacks;
    }
    return machine;
}

inline int fail(const char* words) {
    machine->failed = true;
    snprintf(machine->error, sizeof machine->error, "kernel %s, block (%u, %u): %s", machine->kernel, machine->block_x,
             machine->block_y, words);
    return 1;
}

// A permutation of n numbers, in the order chosen.
inline void permute(u32* numbers, u32 n) {
    Machine& m = *machine;
    for (u32 i = 0; i < n; i++) numbers[i] = m.order == BACKWARD ? n - 1 - i : i;
    if (m.order != SHUFFLED) return;
    for (u32 i = n; i > 1; i--) {
        m.random = m.random * 6364136223846793005ull + 1442695040888963407ull;
        u32 other = (u32)((m.random >> 33) % i), number = numbers[i - 1];
        numbers[i - 1] = numbers[other], numbers[other] = number;
    }
}

// Back to the scheduler, until it is this fiber's turn again.
__attribute__((noinline)) inline void leave(State state, const char* file, int line) {
    Fiber& fiber = machine->fiber[machine->thread];
    fiber.state = state, fiber.place = Place{file, line};
    if (!MARK(fiber.at)) jump_to(machine->scheduler);
}

inline void main_of_a_fiber() {
    for (;;) {
        machine->body(machine->params);
        leave(ENDED, "", 0);
    }
}

__attribute__((noinline)) inline void enter(u32 thread) {
    Machine& m = *machine;
    m.thread = thread;
    if (MARK(m.scheduler)) return;
    if (m.fiber[thread].begun) jump_to(m.fiber[thread].at);
    m.fiber[thread].begun = true;
    ucontext_t context;
    getcontext(&context);
    unsigned char* stack = m.stacks + thread * STACK;
    mprotect(stack, PAGE, PROT_NONE); // one too deep a call ends the process instead of spoiling another's stack
    context.uc_stack.ss_sp = stack + PAGE;
    context.uc_stack.ss_size = STACK - PAGE;
    context.uc_link = nullptr;
    makecontext(&context, main_of_a_fiber, 0);
    setcontext(&context);
}

inline void describe(char* words, u64 size, u32 thread) {
    const Fiber& fiber = machine->fiber[thread];
    const char* name = strrchr(fiber.place.file, '/');
    name = name ? name + 1 : fiber.place.file;
    if (fiber.state == ENDED) snprintf(words, size, "thread %u has ended", thread);
    else snprintf(words, size, "thread %u waits at %s (%s:%d)", thread,
                  fiber.state == AT_BARRIER ? "a barrier" : "a shuffle", name, fiber.place.line);
}

inline int apart(u32 one, u32 other) {
    char a[160], b[160], words[360];
    describe(a, sizeof a, one), describe(b, sizeof b, other);
    snprintf(words, sizeof words, "%s, %s", a, b);
    return fail(words);
}

// Whether threads [from, to) are in the same state at the same place; else `failed`.
inline bool together(u32 from, u32 to) {
    const Fiber* fiber = machine->fiber;
    for (u32 i = from + 1; i < to; i++)
        if (fiber[i].state != fiber[from].state || fiber[i].place != fiber[from].place) return apart(from, i), false;
    return true;
}

// Runs a warp until all of its threads are at a barrier or have ended.
inline void run_warp(u32 from, u32 to) {
    Machine& m = *machine;
    for (;;) {
        u32* lanes = m.permutation + MOST_THREADS / WARP;
        permute(lanes, to - from);
        for (u32 i = 0; i < to - from; i++)
            if (m.fiber[from + lanes[i]].state == READY) enter(from + lanes[i]);
        if (m.failed || !together(from, to)) return;
        if (m.fiber[from].state != AT_SHUFFLE) return;
        if (to - from < WARP) return void(fail("a shuffle in a warp of fewer than 32 threads"));
        for (u32 i = from; i < to; i++) m.fiber[i].state = READY, m.fiber[i].shuffles++;
    }
}

inline int check_shared() {
    Machine& m = *machine;
    for (u32 i = 0; i < m.arrays; i++)
        for (u32 at = 0; at < GUARD; at++)
            if (m.array[i].begin[m.array[i].bytes + at] != 0xfe) {
                char words[80];
                snprintf(words, sizeof words, "a write past the end of its shared array %u, of %llu bytes", i, m.array[i].bytes);
                return fail(words);
            }
    return 0;
}

inline int run_block() {
    Machine& m = *machine;
    m.arrays = 0, m.shared_bytes = 0;
    for (u32 i = 0; i < m.threads; i++) m.fiber[i].state = READY;
    const u32 warps = (m.threads + WARP - 1) / WARP;
    for (;;) {
        permute(m.permutation, warps);
        for (u32 i = 0; i < warps; i++) {
            u32 from = m.permutation[i] * WARP, to = from + WARP < m.threads ? from + WARP : m.threads;
            run_warp(from, to);
            if (m.failed) return 1;
        }
        if (!together(0, m.threads)) return 1;
        if (m.fiber[0].state == ENDED) return check_shared();
        for (u32 i = 0; i < m.threads; i++) m.fiber[i].state = READY;
    }
}

inline int run(const char* kernel, void (*body)(const void*), const void* params, u32 grid_x, u32 grid_y, u32 threads) {
    Machine& m = *begin();
    m.kernel = kernel, m.body = body, m.params = params, m.failed = false;
    m.block_x = m.block_y = 0, m.blocks_x = grid_x, m.threads = threads;
    if (!m.stacks) return fail("no memory for stacks");
    if (!grid_x || !grid_y || grid_y > 65535 || grid_x > 0x7fffffff || !threads || threads > MOST_THREADS)
        return fail("a launch that no device takes: blocks or threads are none, or too many");
    const u64 blocks = (u64)grid_x * grid_y;
    if (blocks > 0xffffffff) return fail("more blocks than the emulator counts");
    u32* order = new u32[blocks];
    permute(order, (u32)blocks);
    for (u64 i = 0; i < blocks && !m.failed; i++) {
        m.block_x = order[i] % grid_x, m.block_y = order[i] / grid_x;
        run_block();
    }
    delete[] order;
    // What fibers were in the middle of is forgotten.
    if (m.failed) for (Fiber& fiber : m.fiber) fiber.begun = false;
    return m.failed;
}

inline int refuse(const char* kernel, u64 got, u64 want) {
    begin()->kernel = kernel;
    char words[100];
    snprintf(words, sizeof words, "its parameters are %llu bytes, %llu came", want, got);
    return fail(words);
}

// The array of a key in this block's shared memory; the first thread that asks for it makes it.
inline void* shared(const void* key, u64 bytes) {
    Machine& m = *machine;
    for (u32 i = 0; i < m.arrays; i++)
        if (m.array[i].key == key) return m.array[i].begin;
    m.shared_bytes += bytes;
    if (m.arrays == MOST_ARRAYS || m.shared_bytes > MOST_SHARED) {
        fail("more shared memory than 48 KiB or 32 arrays");
        leave(ENDED, "", 0);
    }
    Array& array = m.array[m.arrays];
    array.key = key, array.bytes = bytes;
    array.begin = m.arrays ? m.array[m.arrays - 1].begin + m.array[m.arrays - 1].bytes + GUARD : m.shared;
    array.begin += -(u64)array.begin & 15;
    memset(array.begin, 0xff, bytes);
    memset(array.begin + bytes, 0xfe, GUARD);
    m.arrays++;
    return array.begin;
}

} // namespace emulator

extern "C" const char* emulator_error() { return emulator::begin()->error; }
extern "C" void emulator_order(u32 order, u64 seed) {
    emulator::begin()->order = (emulator::Order)order;
    emulator::begin()->random = seed;
}

#define DEVICE static inline
#define KERNEL(name, Params)                                                                                         \
    static void name##_body(const Params& p);                                                                        \
    extern "C" u64 name##_size() { return sizeof(Params); }                                                          \
    extern "C" int name(const void* params, u64 size, u32 grid_x, u32 grid_y, u32 threads) {                         \
        if (size != sizeof(Params)) return emulator::refuse(#name, size, sizeof(Params));                            \
        Params copy;                                                                                                 \
        memcpy(&copy, params, sizeof copy);                                                                          \
        auto body = [](const void* p) { name##_body(*(const Params*)p); };                                           \
        return emulator::run(#name, body, &copy, grid_x, grid_y, threads);                                           \
    }                                                                                                                \
    static void name##_body(const Params& p)
#define SHARED(type, name, dims)                                                                                     \
    typedef type name##_array dims;                                                                                  \
    static char name##_key;                                                                                          \
    name##_array& name = *(name##_array*)emulator::shared(&name##_key, sizeof(name##_array))
#define THREAD (emulator::machine->thread)
#define THREADS (emulator::machine->threads)
#define BLOCK_X (emulator::machine->block_x)
#define BLOCK_Y (emulator::machine->block_y)
#define BLOCKS_X (emulator::machine->blocks_x)

DEVICE void sync_block(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    emulator::leave(emulator::AT_BARRIER, file, line);
}

template <class T>
DEVICE T shuffle_xor(T value, u32 mask, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    static_assert(sizeof(T) <= 8, "a shuffle of more than eight bytes");
    using namespace emulator;
    Fiber& own = machine->fiber[machine->thread];
    // Two places in turn: when a lane is at the next shuffle but one, all have read what was exchanged in this.
    const u32 side = own.shuffles & 1;
    memcpy(&own.exchanged[side], &value, sizeof value);
    leave(AT_SHUFFLE, file, line);
    memcpy(&value, &machine->fiber[machine->thread ^ (mask & (WARP - 1))].exchanged[side], sizeof value);
    return value;
}
