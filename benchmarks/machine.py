"""What every benchmark sets before NumPy is loaded: how many threads its products have, and that freed memory is kept.

glibc hands large arrays back to the system as they are freed and asks for the next ones anew, page by page, which costs as much as
the arithmetic on them. A long run is better off with an allocator that keeps them: any preloaded one does, or glibc itself if a
program starts with MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483647. Here the same is asked for by mallopt(3).
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def prepare(threads: int) -> str:
    """Sets the machine up and says how; NumPy must not have been loaded yet."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    kept = mallopt is not None and mallopt(M_MMAP_MAX, 0) == 1 and mallopt(M_TRIM_THRESHOLD, 2**31 - 1) == 1
    return f"{threads} thread{'s' if threads > 1 else ''}, freed memory {'kept' if kept else 'returned'}"
