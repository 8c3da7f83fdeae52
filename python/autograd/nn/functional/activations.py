"""Activations: most are pointwise ops of the library under the same name."""

from ...ops.pointwise import leaky_relu, relu, sigmoid, tanh
from ...ops.probabilities import log_softmax, softmax

__all__ = ["leaky_relu", "log_softmax", "relu", "sigmoid", "softmax", "tanh"]
