// The ops: free functions over tensors, each with gradients to every order unless it says
// otherwise. Broadcasting, promotion and negative dims follow PyTorch. One header per family.
#pragma once
#include "autograd/activations.hpp"
#include "autograd/attention.hpp"
#include "autograd/convolution.hpp"
#include "autograd/creation.hpp"
#include "autograd/indexing.hpp"
#include "autograd/linalg.hpp"
#include "autograd/losses.hpp"
#include "autograd/normalization.hpp"
#include "autograd/pointwise.hpp"
#include "autograd/pooling.hpp"
#include "autograd/products.hpp"
#include "autograd/recurrent.hpp"
#include "autograd/reductions.hpp"
#include "autograd/shaping.hpp"
#include "autograd/softmax.hpp"
#include "autograd/sorting.hpp"
