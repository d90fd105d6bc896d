"""A second run on the guard: the same function with its arrays moved to the device, its outcome compared bit for bit."""

import re

import numpy as np
from guard import GuardArray


def moved(tree, cupy):
    """`tree` with every NumPy array in it on the device, integers too."""
    if isinstance(tree, np.ndarray):
        return cupy.asarray(tree)
    if isinstance(tree, dict):
        return {name: moved(branch, cupy) for name, branch in tree.items()}
    if isinstance(tree, tuple | list):
        branches = [moved(branch, cupy) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return tree


def leaves(tree):
    """What a result is made of: types of its branches; dtype, shape and bits of its arrays; its other values."""
    if isinstance(tree, GuardArray):
        tree = tree.numpys
    if isinstance(tree, np.ndarray | np.generic):
        return ["array", tree.dtype.str, tree.shape, tree.tobytes()]
    if isinstance(tree, tuple | list):
        return [type(tree).__name__, *map(leaves, tree)]
    return tree


def on_host(tree):
    """Is there a NumPy array or number in the result?"""
    return any(map(on_host, tree)) if isinstance(tree, tuple | list) else isinstance(tree, np.ndarray | np.generic)


def outcome(function, *args, **kwargs):
    """What a call comes to: its result by leaves, or its error's type and text, without the library's name and its own words."""
    try:
        with np.errstate(all="ignore"):
            result = function(*args, **kwargs)
    except Exception as error:
        text = re.sub("cupy (float..) on <CUDA Device 0>", r"numpy \1", str(error))
        return type(error), text.partition(":")[0] if type(error) is ArithmeticError else text
    return result


def assert_alike(cupy, function, *args, **kwargs):
    """Both runs end alike; what comes back is on the device.  Returns the outcome of NumPy's."""
    host = outcome(function, *args, **kwargs)
    device = outcome(function, *moved(args, cupy), **moved(kwargs, cupy))
    assert not on_host(device), f"{function}: a result was left on the host"
    assert leaves(device) == leaves(host), f"{function}: {device} on the device, {host} on the host"
    return host


def fails(result):
    """Is this outcome an error?"""
    return isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], type)
