// All kernels of the CUDA backend, as one module.
#include "platform.h"
