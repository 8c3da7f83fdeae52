// Selecting by value alone; one thread.
#pragma once
#include <cstdint>

namespace autograd::cpu {

/// Copies the numbers that are not NaN, in their order, and returns how many. There is room for all
/// n.
int64_t copy_numbers(const float* x, float* numbers, int64_t n);
int64_t copy_numbers(const double* x, double* numbers, int64_t n);

/// The k-th smallest, from 0, of n numbers without NaN. They are put into another order; room holds
/// as many.
float nth_value(float* numbers, float* room, int64_t n, int64_t k);
double nth_value(double* numbers, double* room, int64_t n, int64_t k);

}  // namespace autograd::cpu
