// A driver of NVIDIA's and a cuBLAS, as far as taper calls them, whose device is the emulator: loaded in the place of
// libcuda.so, libcublas.so and libcublasLt.so, they let the whole program run on a "GPU" of any machine.
//
// As on a real one nothing happens when it is asked for: copies, launches and products wait in the stream until somebody waits
// for it, or asks whether an event is over. What a caller overwrites too early, or reads too early, is wrong here too.
//
//   EMULATED_DEVICES     how many there are (1)
//   EMULATED_CAPABILITY  9.0
//   EMULATED_MEMORY      bytes of each (1 GiB)
//   EMULATED_LAUNCH      a number: the launch that fails, and everything after it
//   EMULATED_DOWNLOAD    the same of copies to the host that are waited for
//   EMULATED_GEMM        0: cublasGemmEx fails
//   EMULATED_LT          0: cuBLASLt has no algorithm for anything
#include "kernels.cu"

#include <dlfcn.h>
#include <stdlib.h>

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace {

enum Result { SUCCESS = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, BAD_DEVICE = 101, NOT_FOUND = 500,
              NOT_READY = 600, LAUNCH_FAILED = 719 };

u64 setting(const char* name, u64 otherwise) {
    const char* text = getenv(name);
    return text ? strtoull(text, nullptr, 10) : otherwise;
}

struct Event {
    u64 at = 0; // operations of the stream that precede it
};

// One device, one stream: taper uses no more in a process.
struct Gpu {
    std::mutex lock;
    std::map<u64, u64> memory;
    u64 used = 0, asked = 0, done = 0, launches = 0, downloads = 0;
    bool failed = false;
    std::deque<std::function<bool()>> stream;

    int ask(std::function<bool()> operation) {
        if (failed) return LAUNCH_FAILED;
        stream.push_back(operation);
        asked++;
        return SUCCESS;
    }

    // Until so many operations are done.
    int run(u64 until) {
        while (done < until && !stream.empty()) {
            if (!failed && !stream.front()()) failed = true;
            stream.pop_front();
            done++;
        }
        return failed ? LAUNCH_FAILED : SUCCESS;
    }

    // The bytes lie within what was taken, and not beyond.
    bool holds(u64 address, u64 bytes) {
        auto after = memory.upper_bound(address);
        if (after == memory.begin()) return false;
        auto [begin, size] = *std::prev(after);
        return address - begin + bytes <= size;
    }
};

Gpu& gpu() {
    static Gpu gpu;
    return gpu;
}

struct Kernel {
    int (*run)(const void*, u64, u32, u32, u32);
    u64 size; // of its parameters
};

} // namespace

#define LOCKED std::lock_guard<std::mutex> locked(gpu().lock)

extern "C" {

int cuInit(u32) { return setting("EMULATED_DEVICES", 1) ? SUCCESS : NO_DEVICE; }
int cuDriverGetVersion(int* version) { return *version = 13000, SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = (int)setting("EMULATED_DEVICES", 1), SUCCESS; }
int cuDeviceGet(int* device, int ordinal) {
    if (ordinal < 0 || ordinal >= (int)setting("EMULATED_DEVICES", 1)) return BAD_DEVICE;
    return *device = ordinal, SUCCESS;
}
int cuDeviceGetName(char* name, int size, int) { return snprintf(name, size, "Emulated GPU"), SUCCESS; }
int cuDeviceTotalMem_v2(u64* bytes, int) { return *bytes = setting("EMULATED_MEMORY", 1u << 30), SUCCESS; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
    const char* text = getenv("EMULATED_CAPABILITY");
    int major = 9, minor = 0;
    if (text) sscanf(text, "%d.%d", &major, &minor);
    if (attribute != 75 && attribute != 76) return INVALID;
    return *value = attribute == 75 ? major : minor, SUCCESS;
}
int cuGetErrorString(int result, const char** text) {
    *text = result == OUT_OF_MEMORY ? "out of memory" : result == LAUNCH_FAILED ? "unspecified launch failure" : "an error";
    return SUCCESS;
}
int cuGetErrorName(int, const char** text) { return *text = "CUDA_ERROR", SUCCESS; }

int cuDevicePrimaryCtxRetain(void** context, int device) { return *context = (void*)(u64)(device + 1), SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxSetCurrent(void*) { return SUCCESS; }
int cuMemGetInfo_v2(u64* free, u64* total) {
    LOCKED;
    *total = setting("EMULATED_MEMORY", 1u << 30);
    return *free = *total - gpu().used, SUCCESS;
}

int cuMemAlloc_v2(u64* address, u64 bytes) {
    LOCKED;
    if (gpu().failed) return LAUNCH_FAILED;
    if (gpu().used + bytes > setting("EMULATED_MEMORY", 1u << 30)) return OUT_OF_MEMORY;
    void* memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(memory, 0xff, bytes);
    gpu().memory[(u64)memory] = bytes;
    gpu().used += bytes;
    return *address = (u64)memory, SUCCESS;
}
int cuMemFree_v2(u64 address) {
    LOCKED;
    auto found = gpu().memory.find(address);
    if (found == gpu().memory.end()) return INVALID;
    // A real one waits for the device too.
    gpu().run(gpu().asked);
    gpu().used -= found->second;
    gpu().memory.erase(found);
    return free((void*)address), SUCCESS;
}
int cuMemHostAlloc(void** memory, u64 bytes, u32) { return *memory = malloc(bytes), SUCCESS; }
int cuMemFreeHost(void* memory) { return free(memory), SUCCESS; }

int cuStreamCreate(void** stream, u32) { return *stream = (void*)1, SUCCESS; }
int cuStreamDestroy_v2(void*) { return SUCCESS; }
int cuStreamSynchronize(void*) {
    LOCKED;
    return gpu().run(gpu().asked);
}

int cuEventCreate(void** event, u32) { return *event = new Event, SUCCESS; }
int cuEventDestroy_v2(void* event) { return delete (Event*)event, SUCCESS; }
int cuEventRecord(void* event, void*) {
    LOCKED;
    return ((Event*)event)->at = gpu().asked, SUCCESS;
}
int cuEventSynchronize(void* event) {
    LOCKED;
    return gpu().run(((Event*)event)->at);
}
// Whoever asks sees the stream go on a little.
int cuEventQuery(void* event) {
    LOCKED;
    u64 at = ((Event*)event)->at;
    if (gpu().done >= at) return SUCCESS;
    int result = gpu().run(gpu().done + 7);
    return result ? result : gpu().done >= at ? SUCCESS : NOT_READY;
}

int cuMemsetD8Async(u64 address, unsigned char value, u64 bytes, void*) {
    LOCKED;
    if (!gpu().holds(address, bytes)) return INVALID;
    return gpu().ask([=] { return memset((void*)address, value, bytes), true; });
}
int cuMemcpyHtoDAsync_v2(u64 to, const void* from, u64 bytes, void*) {
    LOCKED;
    if (!gpu().holds(to, bytes)) return INVALID;
    return gpu().ask([=] { return memcpy((void*)to, from, bytes), true; });
}
int cuMemcpyDtoHAsync_v2(void* to, u64 from, u64 bytes, void*) {
    LOCKED;
    if (!gpu().holds(from, bytes)) return INVALID;
    return gpu().ask([=] { return memcpy(to, (const void*)from, bytes), true; });
}
// Not ordered after the stream, which does not wait for the default one.
int cuMemcpyDtoH_v2(void* to, u64 from, u64 bytes) {
    LOCKED;
    if (gpu().downloads++ == setting("EMULATED_DOWNLOAD", ~0ull)) gpu().failed = true;
    if (gpu().failed) return LAUNCH_FAILED;
    if (!gpu().holds(from, bytes)) return INVALID;
    return memcpy(to, (const void*)from, bytes), SUCCESS;
}

int cuModuleLoadData(void** module, const void* image) {
    // What is to be compiled has to be PTX.
    return *module = (void*)1, strstr((const char*)image, ".visible .entry") ? SUCCESS : INVALID;
}
int cuModuleUnload(void*) { return SUCCESS; }
int cuModuleGetFunction(void** function, void*, const char* name) {
    static void* self = [] {
        Dl_info info;
        dladdr((void*)cuModuleUnload, &info);
        return dlopen(info.dli_fname, RTLD_NOW);
    }();
    auto run = (int (*)(const void*, u64, u32, u32, u32))dlsym(self, name);
    auto size = (u64 (*)())dlsym(self, (std::string(name) + "_size").c_str());
    if (!run || !size) return NOT_FOUND;
    return *function = new Kernel{run, size()}, SUCCESS;
}
int cuLaunchKernel(void* function, u32 x, u32 y, u32 z, u32 threads, u32 threads_y, u32 threads_z, u32 shared, void*,
                   void** parameters, void** extra) {
    LOCKED;
    if (z != 1 || threads_y != 1 || threads_z != 1 || shared || extra) return INVALID;
    if (gpu().launches++ == setting("EMULATED_LAUNCH", ~0ull)) return gpu().failed = true, LAUNCH_FAILED;
    // Copied before the call returns, as the driver does.
    Kernel kernel = *(Kernel*)function;
    std::string copy((const char*)parameters[0], kernel.size);
    return gpu().ask([=] {
        if (kernel.run(copy.data(), kernel.size, x, y, threads) == 0) return true;
        return fprintf(stderr, "%s\n", emulator_error()), false;
    });
}

const int NOT_SUPPORTED = 15; // cuBLAS's word

static int product(int ta, int tb, int m, int n, int k, float alpha, const void* a, int a_type, int lda, const void* b, int b_type,
                   int ldb, float beta, void* c, int c_type, int ldc, int compute) {
    LOCKED;
    const int FLOAT = 0, BF16 = 14, FLOAT_PRODUCTS = 68, TF32_PRODUCTS = 77;
    if (compute != FLOAT_PRODUCTS && (compute != TF32_PRODUCTS || a_type != FLOAT)) return 7;
    u32 mask = compute == TF32_PRODUCTS ? 0xffffe000u : ~0u;
    if (a_type != b_type || (a_type != FLOAT && a_type != BF16) || c_type != FLOAT) return 7;
    auto number = [=](const void* x, u64 at) {
        return a_type == FLOAT ? float_of(bits_of(((const float*)x)[at]) & mask) : float_of((u32)((const u16*)x)[at] << 16);
    };
    return gpu().ask([=] {
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++) {
                float sum = 0.0f, *out = (float*)c + (u64)j * ldc + i;
                for (int l = 0; l < k; l++)
                    sum += number(a, ta ? (u64)i * lda + l : (u64)l * lda + i) * number(b, tb ? (u64)l * ldb + j : (u64)j * ldb + l);
                *out = alpha * sum + (beta == 0.0f ? 0.0f : beta * *out);
            }
        return true;
    });
}

int cublasCreate_v2(void** handle) { return *handle = (void*)1, SUCCESS; }
int cublasDestroy_v2(void*) { return SUCCESS; }
int cublasGetProperty(int part, int* value) { return *value = part == 0 ? 13 : part, SUCCESS; }
int cublasSetStream_v2(void*, void*) { return SUCCESS; }
int cublasSetWorkspace_v2(void*, void* memory, u64 bytes) {
    LOCKED;
    return gpu().holds((u64)memory, bytes) ? SUCCESS : 7;
}
int cublasGemmEx(void*, int ta, int tb, int m, int n, int k, const float* alpha_at, const void* a, int a_type, int lda,
                 const void* b, int b_type, int ldb, const float* beta_at, void* c, int c_type, int ldc, int compute, int) {
    if (setting("EMULATED_GEMM", 1) == 0) return NOT_SUPPORTED;
    return product(ta, tb, m, n, k, *alpha_at, a, a_type, lda, b, b_type, ldb, *beta_at, c, c_type, ldc, compute);
}

// cuBLASLt, as far as it is used. Each structure is checked wherever it is passed.
struct Operation { int compute, scale, transposed[2]; };
struct Layout { int type; u64 rows, columns; long long stride; };

int cublasLtCreate(void** handle) { return *handle = (void*)2, SUCCESS; }
int cublasLtDestroy(void*) { return SUCCESS; }
int cublasLtMatmulPreferenceCreate(void** preference) { return *preference = (void*)3, SUCCESS; }
int cublasLtMatmulPreferenceDestroy(void*) { return SUCCESS; }
int cublasLtMatmulPreferenceSetAttribute(void*, int attribute, const void*, u64 bytes) {
    const int MOST_WORKSPACE = 1;
    return bytes == (attribute == MOST_WORKSPACE ? 8 : 4) ? SUCCESS : 7;
}
int cublasLtMatmulDescCreate(Operation** made, int compute, int scale) {
    return *made = new Operation{compute, scale, {0, 0}}, SUCCESS;
}
int cublasLtMatmulDescDestroy(Operation* of) { return delete of, SUCCESS; }
int cublasLtMatmulDescSetAttribute(Operation* of, int attribute, const void* value, u64 bytes) {
    const int TRANSPOSED_A = 3, TRANSPOSED_B = 4;
    if (bytes != 4 || (attribute != TRANSPOSED_A && attribute != TRANSPOSED_B)) return 7;
    return of->transposed[attribute - TRANSPOSED_A] = *(const int*)value, SUCCESS;
}
int cublasLtMatrixLayoutCreate(Layout** made, int type, u64 rows, u64 columns, long long stride) {
    return *made = new Layout{type, rows, columns, stride}, SUCCESS;
}
int cublasLtMatrixLayoutDestroy(Layout* of) { return delete of, SUCCESS; }

// Whether the layouts are those of one product.
static bool fit(const Operation* of, const Layout* a, const Layout* b, const Layout* c, const Layout* d) {
    for (const Layout* each : {a, b, c, d})
        if ((u64)each->stride < each->rows || each->rows == 0 || each->columns == 0) return false;
    u64 m = of->transposed[0] ? a->columns : a->rows, k = of->transposed[0] ? a->rows : a->columns;
    u64 n = of->transposed[1] ? b->rows : b->columns, same_k = of->transposed[1] ? b->columns : b->rows;
    return k == same_k && c->rows == m && c->columns == n && d->rows == m && d->columns == n && c->type == d->type;
}

int cublasLtMatmulAlgoGetHeuristic(void*, Operation* of, Layout* a, Layout* b, Layout* c, Layout* d, void*, int, u64* found,
                                   int* count) {
    if (!fit(of, a, b, c, d)) return 7;
    if (setting("EMULATED_LT", 1) == 0) return NOT_SUPPORTED;
    memset(found, 0, 64 + 8 + 4 + 4 + 16);
    found[0] = 42;
    return *count = 1, SUCCESS;
}
int cublasLtMatmul(void*, Operation* of, const float* alpha, const void* at_a, Layout* a, const void* at_b, Layout* b,
                   const float* beta, const void* at_c, Layout* c, void* at_d, Layout* d, const u64* algorithm, void* workspace,
                   u64 bytes, void*) {
    if (!fit(of, a, b, c, d) || at_c != at_d || algorithm == nullptr || algorithm[0] != 42) return 7;
    {
        LOCKED;
        if (!gpu().holds((u64)workspace, bytes)) return 7;
    }
    return product(of->transposed[0], of->transposed[1], (int)d->rows, (int)d->columns,
                   (int)(of->transposed[0] ? a->rows : a->columns), *alpha, at_a, a->type, (int)a->stride, at_b, b->type,
                   (int)b->stride, *beta, at_d, d->type, (int)d->stride, of->compute);
}

} // extern "C"
