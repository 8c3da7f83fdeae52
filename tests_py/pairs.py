"""The same data in both libraries, and whether two results agree. PyTorch is the oracle."""

import numpy as np
import torch

import autograd as ag


def both(data, **options):
    """The same data as a tensor of each library."""
    theirs = {
        name: getattr(torch, str(v).split(".")[1]) if name == "dtype" else v
        for name, v in options.items()
    }
    return ag.tensor(data, **options), torch.tensor(data, **theirs)


def same(ours, theirs):
    """True if both have equal sizes, dtypes and elements."""
    assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(np.asarray(ours.detach()), theirs.detach().numpy(), rtol=1e-6)
    return True
