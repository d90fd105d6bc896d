"""Floating-point namespaces: NumPy, CuPy and torch behind array-api-compat, bound to one dtype and one device."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import expect


class Floats:
    """The functions of `arrays.namespace` on float32 or float64 arrays of one library, dtype and device.

    Everything array-api-compat offers (`where`, `exp`, `abs`, `max`, …) is passed through; the methods below are those
    whose meaning the rooms above rely on. Results keep the dtype. `u` is the unit roundoff; `inverse_root` is None where an
    iteration finds one (`reference.parts.roots`).
    """

    exact = False
    inverse_root: Any = None

    def __init__(self, library: Any, dtype: Any, device: Any) -> None:
        self.library, self.dtype, self.device = library, dtype, device
        self.u = float(library.finfo(dtype).eps) / 2
        self.smallest = float(library.finfo(dtype).smallest_normal)
        self._dtype_name = str(dtype).rsplit(".", 1)[-1]
        place = "" if str(device) == "cpu" else f" on {device}"
        self.name = f"{library.__name__.rsplit('.', 1)[-1]} {self._dtype_name}{place}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library, name)

    def const(self, value: Any) -> Any:
        """The number `value` in this dtype, rounded (through float64), as a 0-d array.

        Raises ValueError where it becomes 0 or infinite.
        """
        with np.errstate(over="ignore", under="ignore"):
            try:
                rounded = np.float64(value).astype(self._dtype_name)     # judged here: to ask a device costs a copy
            except OverflowError:
                rounded = np.float64("inf")
        expect(np.isfinite(rounded) and (rounded == 0) == (value == 0), "value", f"a number that {self.dtype} can hold",
               "a damping of 0 damps nothing", value)
        return self.library.asarray(float(value), dtype=self.dtype, device=self.device)

    def asarray(self, x: Any) -> Any:
        """Numbers (nested lists, host arrays, Fractions) as an array of this dtype."""
        host = np.asarray(x)
        host = host.astype(np.float64) if host.dtype == object else host
        return self.library.asarray(host, dtype=self.dtype, device=self.device)

    def zeros(self, shape: Any) -> Any:
        """Zeros of this dtype."""
        return self.library.zeros(shape, dtype=self.dtype, device=self.device)

    def ones(self, shape: Any) -> Any:
        """Ones of this dtype."""
        return self.library.ones(shape, dtype=self.dtype, device=self.device)

    def eye(self, n: int) -> Any:
        """The n × n identity of this dtype."""
        return self.library.eye(n, dtype=self.dtype, device=self.device)

    def indicator(self, mask: Any) -> Any:
        """1 where the mask holds, 0 elsewhere, in this dtype."""
        return self.library.astype(mask, self.dtype)

    def take(self, x: Any, index: Any, axis: int) -> Any:
        """The entries of x at these places along `axis`; index: integers (n,) on the host."""
        return self.library.take(x, self.library.asarray(index, device=self.device), axis=axis)

    def all_finite(self, x: Any) -> bool:
        """Is every entry of x a finite number?"""
        return bool(self.library.all(self.library.isfinite(x)))

    def symmetric(self, A: Any) -> bool:
        """Is |A − Aᵀ| below half of the digits of the largest entry?"""
        largest = self.library.max(self.library.abs(A))
        return bool(self.library.max(self.library.abs(A - A.T)) <= float(self.library.finfo(self.dtype).eps) ** 0.5 * largest)

    def positive_definite(self, A: Any) -> bool:
        """Does A have a Cholesky factor?"""
        try:
            self.cholesky(A)
        except ArithmeticError:
            return False
        return True

    def positive_semidefinite(self, A: Any) -> bool:
        """Is A positive definite after half of the digits of its largest entry have been added to its diagonal, or A = 0?"""
        largest = self.library.max(self.library.abs(A))
        slack = float(self.library.finfo(self.dtype).eps) ** 0.5 * largest
        return bool(largest == 0) or self.positive_definite(A + slack * self.eye(A.shape[0]))

    def kron(self, A: Any, B: Any) -> Any:
        """The Kronecker product A ⊗ B of two matrices: block (i, j) is A_ij B."""
        blocks = A[:, None, :, None] * B[None, :, None, :]
        return self.library.reshape(blocks, (A.shape[0] * B.shape[0], A.shape[1] * B.shape[1]))

    def trace(self, A: Any) -> Any:
        """The sum of the diagonal of A (n, n)."""
        return self.library.sum(self.library.linalg.diagonal(A))

    def inv(self, A: Any) -> Any:
        """A⁻¹ of a square matrix.  Raises ArithmeticError where a pivot is 0 or the result is not finite."""
        return self._checked("inv", self.library.linalg.inv, A)

    def solve(self, A: Any, B: Any) -> Any:
        """A⁻¹B for a vector or matrix B.  Raises ArithmeticError where a pivot is 0 or the result is not finite."""
        return self._checked("solve", self.library.linalg.solve, A, B)

    def cholesky(self, A: Any) -> Any:
        """The lower triangular C with CCᵀ = A.  Raises ArithmeticError unless A is positive definite."""
        C = self._checked("cholesky", self.library.linalg.cholesky, A)
        # Whatever CuPy leaves where it stops is no factor: the squares in row i of one add up to A_ii, within γ_{2n+1} A_ii.
        a = self.library.linalg.diagonal(A)
        off = self.library.abs(self.library.sum(C**2, axis=-1) - a)
        bound = 2 * (a.shape[-1] + 1) * float(self.library.finfo(self.dtype).eps) * a + self.smallest
        if not bool(self.library.all((self.library.linalg.diagonal(C) > 0) & (off <= bound))):
            raise ArithmeticError("cholesky: expected a positive definite matrix, got one with a pivot <= 0")
        return C

    def eigh(self, A: Any) -> Any:
        """Eigenvalues (ascending) and orthonormal eigenvectors (columns) of a symmetric matrix.

        Raises ArithmeticError where A has entries that are not finite.
        """
        w, Q = self._checked("eigh", self.library.linalg.eigh, A)
        return w, Q

    def root(self, x: Any, k: int) -> Any:
        """The k-th root of x >= 0, entry by entry."""
        if k <= 2:
            return x if k == 1 else self.library.sqrt(x)
        y = x ** (1 / k)                                             # 1/k is rounded: wrong by |log x| units in the last place
        return y - (y**k - x) / (k * self.library.where(y > 0, y, self.ones(())) ** (k - 1))

    def _checked(self, name: str, function: Any, *operands: Any) -> Any:
        # CuPy returns garbage where NumPy raises, so failure is read off the values as well.
        try:
            result = function(*operands)
        except (np.linalg.LinAlgError, RuntimeError) as error:
            raise ArithmeticError(f"{name}: expected a matrix that can be factored, got one on which "
                                  f"{self.name} says '{error}'") from error
        if not all(self.all_finite(part) for part in (result if isinstance(result, tuple) else (result,))):
            raise ArithmeticError(f"{name}: expected a matrix that can be factored, got one whose result is not finite")
        return result

    def logistic(self, x: Any) -> Any:
        """1 / (1 + e⁻ˣ), without overflow and to full relative accuracy for either sign of x."""
        z = self.library.exp(-self.library.abs(x))
        return self.library.maximum(z, self.indicator(x >= 0)) / (1 + z)

    def softplus(self, x: Any) -> Any:
        """log(1 + eˣ), without overflow."""
        return self.library.maximum(x, self.zeros(())) + self.library.log1p(self.library.exp(-self.library.abs(x)))

    def softmax(self, x: Any) -> Any:
        """e^(x_j) / Σ_i e^(x_i) along the last axis, shifted by the maximum so that nothing overflows."""
        z = self.library.exp(x - self.library.max(x, axis=-1, keepdims=True))
        return z / self.library.sum(z, axis=-1, keepdims=True)

    def logsumexp(self, x: Any) -> Any:
        """log Σ_i e^(x_i) along the last axis, shifted by the maximum so that nothing overflows."""
        shift = self.library.max(x, axis=-1, keepdims=True)
        return shift[..., 0] + self.library.log(self.library.sum(self.library.exp(x - shift), axis=-1))
