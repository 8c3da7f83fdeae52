// One time step of recurrent layers, forward and backward: what happens between the matrix
// products. Rows are contiguous; h is the hidden size.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// gates [rows, 4 h] hold i, f, g, o before their activations, and after it. c = f c_before + i g;
/// y = o tanh(c).
void lstm_step(DType dtype, int64_t rows, int64_t h, void* gates, const void* c_before, void* c,
               void* y);

/// From the gradient dy of y and, in dc, that of c: dgates (before the activations), and dc becomes
/// the gradient of c_before.
void lstm_step_backward(DType dtype, int64_t rows, int64_t h, const void* gates,
                        const void* c_before, const void* c, const void* dy, void* dc,
                        void* dgates);

/// x [rows, 3 h] and s [rows, 4 h, of which 3 h are used] hold the parts r, z, n that come from the
/// input and from the state. s becomes r, z, n = tanh(x_n + r s_n), and s_n behind them.
/// y = n + z (y_before - n).
void gru_step(DType dtype, int64_t rows, int64_t h, const void* x, void* s, const void* y_before,
              void* y);

/// From the gradient dy of y: dx and ds [rows, 3 h], the gradients of the parts, and dy_before, to
/// which the caller adds ds times the weights. dy_before may be dy.
void gru_step_backward(DType dtype, int64_t rows, int64_t h, const void* s, const void* y_before,
                       const void* dy, void* dx, void* ds, void* dy_before);

/// y = tanh(y) or relu(y), n elements.
void rnn_step(DType dtype, bool relu, int64_t n, void* y);
/// dx = dy * (1 - y^2), or dy where y > 0, else 0.
void rnn_step_backward(DType dtype, bool relu, int64_t n, const void* y, const void* dy, void* dx);

}  // namespace autograd::cpu
