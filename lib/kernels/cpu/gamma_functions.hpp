// The incomplete gamma functions and what follows from them, in float64.
#pragma once

namespace autograd::cpu {

/// P(a, x) = 1 / Gamma(a) times the integral of t^(a-1) e^-t from 0 to x: the probability that a
/// number of the gamma distribution of shape a lies below x. NaN for negative arguments.
/// The sums end at a relative precision.
double regularized_lower_gamma(double a, double x, double precision = 1e-17);
/// Q(a, x) = 1 - P(a, x).
double regularized_upper_gamma(double a, double x, double precision = 1e-17);

/// dx/da where P(a, x) is kept: how a number drawn from the gamma distribution of shape a moves
/// with a. -(dP/da) / p(x), with p the density (Figurnov, Mohamed and Mnih, "Implicit
/// Reparameterization Gradients", 2018). NaN for negative arguments and a = 0.
double gamma_number_slope(double a, double x);

}  // namespace autograd::cpu
