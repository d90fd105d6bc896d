"""Slips in number systems: mixed arithmetics, rounding, linear algebra, elementary functions, checks."""

SLIPS = {
    "arrays.dispatch": {
        "arrays/test_namespace.py::test_mixed_kinds_are_refused_by_name": [
            ("namespace", "len(found) != 1", "not found", "mixed arithmetics pass: the first one wins"),
        ],
        "arrays/test_namespace.py::test_mixed_entries_are_refused_by_name": [
            ("_spaces", "{type(value) for value in array.ravel()}", "{type(array.flat[0])}", "only one entry is looked at"),
        ],
        "arrays/test_namespace.py::test_entries_of_no_exact_kind_are_refused_by_name": [
            ("_spaces", "elif entry is not int:", "elif entry not in (int, float):", "floats hide among rationals"),
        ],
        "arrays/test_namespace.py::test_other_number_types_are_refused_by_name": [
            ("_float_space", "library.float64)", "library.float64, library.int64)", "integers pass as floats"),
        ],
        "arrays/test_namespace.py::test_cast_leaves_integers_alone": [
            ("map_arrays", "is_array(tree) and not is_integer(tree)", "is_array(tree)", "labels are cast to floats"),
        ],
        "arrays/test_namespace.py::test_precision_restores_two_different_settings": [
            ("precision", "mpmath.mp.prec, flint.ctx.prec = before", "mpmath.mp.prec = before[0]", "FLINT's precision leaks"),
        ],
    },
    "arrays.balls": {
        "arrays/test_balls.py::test_overlapping_balls_are_undecided": [
            ("Ball._decided", "yes == no", "yes and no", "overlapping balls compare as False"),
        ],
        "arrays/test_balls.py::test_disjoint_balls_and_equal_points_are_decided": [
            ("Ball.__le__", "self.arb <= other", "self.arb < other", "<= taken for <"),
        ],
        "arrays/test_balls.py::test_chains_enclose_the_exact_value": [
            ("Ball.__rsub__", "other - self.arb", "self.arb - other", "the operands of − exchanged"),
        ],
    },
    "arrays.objects": {
        "arrays/test_exact_algebra.py::test_semidefinite_is_not_definite": [
            ("Objects.positive_definite", "A[j, j] > 0", "A[j, j] >= 0", "a semidefinite matrix passes for a definite one"),
            ("Objects.positive_definite", "A[i, j] / A[j, j] * A[j, j:]", "A[j, j:]", "elimination without its factor"),
        ],
        "planted/test_gaps.py::test_every_entry_counts_for_symmetry": [
            ("Objects.symmetric", "A == A.T", "A[0] == A.T[0]", "the first row alone"),
        ],
        "arrays/test_exact_algebra.py::test_cholesky_finds_the_factor_that_made_the_matrix": [
            ("Objects.cholesky", ") / C[j, j]", ")", "not divided by the pivot"),
        ],
        "arrays/test_exact_algebra.py::test_other_roots_are_not_rational": [
            ("Rationals._root", "root**k != value", "root**k > value", "the root of 2 is 1"),
        ],
        "arrays/test_namespace.py::test_const_is_exact_on_rationals": [
            ("Rationals.number", "Fraction(value)\n", "Fraction(value).limit_denominator(10**12)\n", "0.1 taken for 1/10"),
        ],
        "arrays/test_namespace.py::test_const_fits_the_working_precision": [
            ("Mpfs.number", "mpmath.mpf(value.numerator) / value.denominator", "mpmath.mpf(float(value))",
             "a Fraction goes through float64"),
        ],
        "arrays/test_multiprecision_algebra.py::test_functions_keep_their_relative_accuracy": [
            ("Mpfs.logistic", "mpmath.exp(-t)", "mpmath.exp(t)", "the sign in the logistic function"),
        ],
        "arrays/test_multiprecision_algebra.py::test_softmax_and_logsumexp_by_their_definitions": [
            ("Objects.softmax", "self.sum(z, axis=-1, keepdims=True)", "self.sum(z)", "one sum for all rows"),
            ("Objects.logsumexp", "shift[..., 0] + ", "", "the shift is not undone"),
        ],
    },
    "arrays.floats": {
        "arrays/test_namespace.py::test_const_multiplies_arrays_from_both_sides": [
            ("Floats.const", "float(value), dtype=self.dtype", "float(value), dtype=self.library.float64",
             "float32 in, float64 out"),
        ],
        "arrays/test_float_algebra.py::test_symmetric_forgives_rounding_and_nothing_more": [
            ("Floats.symmetric", "** 0.5 * largest", "** 0.25 * largest", "asymmetric matrices pass"),
        ],
        "planted/test_gaps.py::test_symmetry_of_floats_is_relative_to_their_size": [
            ("Floats.symmetric", "** 0.5 * largest", "** 0.5", "an absolute tolerance"),
        ],
        "arrays/test_kronecker_products.py::test_kron_by_indices": [
            ("Floats.kron", "A[:, None, :, None] * B[None, :, None, :]", "A[None, :, None, :] * B[:, None, :, None]",
             "B ⊗ A for A ⊗ B"),
        ],
        "arrays/test_float_algebra.py::test_a_library_that_returns_garbage_instead_of_raising_is_found_out": [
            ("Floats._checked", "self.all_finite(part)", "True", "nan goes on"),
        ],
        "arrays/test_elementary_functions.py::test_logistic": [
            ("Floats.logistic", "self.library.exp(-self.library.abs(x))", "self.library.exp(-x)", "e⁻ˣ overflows"),
            ("Floats.logistic", "self.library.maximum(z, self.indicator(x >= 0))", "z",
             "e⁻|x| for 1 on the positive side"),
        ],
        "arrays/test_elementary_functions.py::test_softplus": [
            ("Floats.softplus", "self.library.maximum(x, self.zeros(())) + ", "", "max(x, 0) is left out"),
        ],
        "arrays/test_elementary_functions.py::test_softmax": [
            ("Floats.softmax", "x - self.library.max(x, axis=-1, keepdims=True)", "x", "no shift: overflows"),
        ],
        "arrays/test_elementary_functions.py::test_logsumexp": [
            ("Floats.logsumexp", "shift[..., 0] + ", "", "the shift is not undone"),
        ],
        "arrays/test_namespace.py::test_all_finite_sees_every_entry": [
            ("Floats.all_finite", "self.library.all(", "self.library.any(", "one finite entry is enough"),
        ],
    },
    "arrays.checks": {
        "arrays/test_argument_checks.py::test_rows_are_numbers_of_examples": [
            ("check_rows", "rows >= 0", "rows >= -n", "row −1 passes"),
            ("check_rows", "(rows < n)", "(rows <= n)", "a row too many"),
            ("check_rows", "rows.shape[0] > 0", "True", "no row passes"),
        ],
        "arrays/test_argument_checks.py::test_vectors_of_other_shapes_are_refused": [
            ("check_vectors", "vector.shape[0] == length", "vector.shape[0] <= length", "a shorter vector passes"),
        ],
        "arrays/test_argument_checks.py::test_vectors_of_other_numbers_are_refused": [
            ("check_vectors", "xp.all_finite(vector)", "True", "nan passes"),
        ],
        "arrays/test_argument_checks.py::test_other_matrices_are_refused": [
            ("check_spd", "xp.symmetric(H)", "True", "an asymmetric matrix passes"),
            ("check_spd", "xp.positive_definite(H)", "True", "an indefinite matrix passes"),
        ],
        "arrays/test_argument_checks.py::test_matrices_with_nan_or_inf_are_refused": [
            ("check_spd", "xp.all_finite(H)", "True", "nan passes"),
        ],
        "arrays/test_argument_checks.py::test_other_numbers_are_refused": [
            ("check_number", ' and abs(value) != float("inf")', "", "an infinite number passes"),
        ],
        "reference/test_methods_given.py::test_hyper_parameters_that_are_no_numbers_are_refused_from_the_start[kfac]": [
            ("check_number", "except (TypeError, ValueError):", "except ValueError:", "what cannot be compared says so itself"),
            ("check_number", "not isinstance(value, bool | str) and", "", "True passes for 1"),
        ],
    },
}
