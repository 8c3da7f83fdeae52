// Everything public, in one include.
#pragma once
#include "autograd/data.hpp"
#include "autograd/dtype.hpp"
#include "autograd/error.hpp"
#include "autograd/function.hpp"
#include "autograd/grad.hpp"
#include "autograd/graph.hpp"
#include "autograd/ops.hpp"
#include "autograd/optim.hpp"
#include "autograd/random.hpp"
#include "autograd/runtime.hpp"
#include "autograd/shape.hpp"
#include "autograd/tensor.hpp"
