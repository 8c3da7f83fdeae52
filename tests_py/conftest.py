import gc


def pytest_collection_finish():
    """What pytest and PyTorch hold from here on is nobody's garbage: tests look for theirs in a tenth of the time."""
    gc.collect()
    gc.freeze()
