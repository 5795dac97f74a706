// All kernels of the CUDA backend, as one module.
#include "attention.cu"
#include "elements.cu"
#include "losses.cu"
#include "norm.cu"
#include "optimizer.cu"
#include "positions.cu"
#include "sums.cu"
