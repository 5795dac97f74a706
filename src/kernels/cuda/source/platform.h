// What a kernel is written in: CUDA for nvcc, and the same words for a host compiler, where `emulator.h` of the tests runs the
// threads of a block one after the other from barrier to barrier.
//
//   KERNEL(name, Params) { … }        a kernel; its parameters are `p`, a `const Params`
//   DEVICE                            a function that kernels call
//   SHARED(type, name, [n][m])        memory that the threads of a block share; nothing is in it at first
//   THREAD, THREADS                   number of the thread in its block, threads of a block
//   BLOCK_X, BLOCK_Y, BLOCKS_X        number of the block, blocks in x
//   sync_block()                      all threads of the block come here before any goes on
//   shuffle_xor(value, mask)          `value` of the thread of the same warp (32) whose number differs in the bits of `mask`
//
// All threads of a block reach every sync_block, all of a warp every shuffle_xor.
#pragma once

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short u16;

#ifdef __CUDACC__

#define KERNEL(name, Params) extern "C" __global__ void __launch_bounds__(256) name(const Params p)
#define DEVICE static __device__ __forceinline__
#define SHARED(type, name, dims) __shared__ type name dims
#define THREAD (threadIdx.x)
#define THREADS (blockDim.x)
#define BLOCK_X (blockIdx.x)
#define BLOCK_Y (blockIdx.y)
#define BLOCKS_X (gridDim.x)
DEVICE void sync_block() { __syncthreads(); }
template <class T> DEVICE T shuffle_xor(T value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
DEVICE u32 high_product(u32 a, u32 b) { return __umulhi(a, b); }
DEVICE u32 bits_of(float x) { return __float_as_uint(x); }
DEVICE float float_of(u32 x) { return __uint_as_float(x); }

#else

#include <math.h>
#include <string.h>

#include "emulator.h"

DEVICE u32 high_product(u32 a, u32 b) { return (u32)(((u64)a * b) >> 32); }
DEVICE u32 bits_of(float x) {
    u32 bits;
    memcpy(&bits, &x, 4);
    return bits;
}
DEVICE float float_of(u32 bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

#endif
