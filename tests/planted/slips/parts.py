"""Slips in what methods share: damping, quasi-Newton updates, SMW, tensors, descent."""

GIVEN = "reference/test_methods_given.py"

SLIPS = {
    "reference.parts.damping": {
        "reference/test_parts_damping.py::test_awkward_cases_are_those_of_the_text": [
            ("R§2.3.1", "weight(s @ y, s @ Bs, mu)", "weight(s @ y, y @ Bs, mu)", "curvature yᵀBs for sᵀBs"),
            ("R§2.3.1", "weight(s @ y, y @ Hy, mu)", "weight(s @ y, s @ Hy, mu)", "curvature sᵀHy for yᵀHy"),
            ("R§2.3.1", "weight(s @ y, s @ s, mu)", "weight(s @ y, y @ y, mu)", "curvature yᵀy for sᵀs"),
            ("R§2.3.1", "y_t = theta * y + (1 - theta) * Bs", "y_t = theta * y - (1 - theta) * Bs", "away from Bs"),
            ("R§2.3.1", "s_t = theta * s + (1 - theta) * Hy", "s_t = (1 - theta) * s + theta * Hy", "θ and 1 − θ exchanged"),
            ("R§2.3.1", "y_t = theta * y + (1 - theta) * s ", "y_t = theta * y + theta * s ", "θ for 1 − θ"),
            ("R3.2", "y @ Hy", "s @ Hy", "curvature sᵀHy for yᵀHy"),
            ("R3.2", "mu1", "mu2", "the other threshold"),
            ("R3.2", "weight(s @ y, y @ Hy, mu1)", "weight(s @ y, y @ Hy, mu1) * 1000000 / 1000001",
             "θ₁ a millionth too small"),
            ("R3.3", "+ (1 - theta1) * Hy", "- (1 - theta1) * Hy", "away from Hy"),
            ("R3.3", "(1 - theta1) * Hy", "(1 - theta1) * y", "towards y: damping with H = I"),
            ("R3.4", "s_t @ y", "s @ y", "stale s in the curvature of the pair"),
            ("R3.4", "s_t @ s_t", "s @ s", "stale s in the curvature aimed at"),
            ("R3.4", "mu2", "mu1", "the other threshold"),
            ("R3.5", "(1 - theta2) * s_t", "(1 - theta2) * s", "stale s"),
            ("R3.5", "theta2 * y", "theta1 * y", "stale θ"),
            ("R3.6", "y_t", "y", "ỹ is computed and forgotten"),
            ("R3.6", "s_t, y_t", "y_t, s_t", "the pair exchanged"),
            ("R8.5", "y @ Hy", "y @ y", "H left out of the curvature"),
            ("R8.5", "mu1", "mu2", "the Levenberg-Marquardt damping as threshold"),
            ("R8.7", "theta1 * s + (1 - theta1) * Hy", "(1 - theta1) * s + theta1 * Hy", "θ₁ and 1 − θ₁ exchanged"),
            ("R8.8", "y + mu2 * s_t", "y + mu2 * s", "stale s"),
            ("R8.8", "y + mu2", "y - mu2", "the sign of the damping"),
            ("R8.9", "s_t, y_t", "s, y_t", "s̃ is computed and forgotten"),
            ("R11.5", "mu1", "mu2", "the Levenberg-Marquardt damping as threshold"),
            ("R11.5", "y @ Hy", "y @ y", "yᵀy without the 1/μ₂"),
            ("R11.7", "(1 - theta1) * Hy", "(1 - theta1) * y", "y without the 1/μ₂"),
            ("R11.8", "mu2 * s_t", "mu1 * s_t", "the other μ"),
            ("R11.9", "s_t, y_t", "s_t, y", "ỹ is computed and forgotten"),
            ("weight", "(1 - mu) * c", "mu * c", "μ for 1 − μ"),
            ("weight", "/ (c - sy)", "/ (sy - c)", "the sign of the denominator"),
            ("weight", "if sy < mu * c", "if sy < c", "damped before it is needed"),
            ("weight", "else 1", "else 0", "full damping where none is needed"),
            ("weight", "if sy < mu * c else 1", "if sy < mu * c and sy > 0 else 1",
             "pairs of negative curvature are left alone"),
            ("dpi_dlm", "Hy = y / mu2", "Hy = y * mu2", "H = μ₂I for I/μ₂"),
            ("double_damping", "Hy = H @ y", "Hy = H @ s", "Hs for Hy"),
        ],
        "reference/test_parts_damping.py::test_numbers_out_of_range": [
            ("BETWEEN", "0 < mu < 1", "0 <= mu < 1", "μ = 0 passes"),
            ("TO_ONE", "0 < mu <= 1", "0 < mu", "μ₂ = 2 passes"),
            ("POSITIVE", "mu > 0", "mu >= 0", "μ₂ = 0 passes"),
        ],
        "reference/test_parts_damping.py::test_matrices_that_are_not_symmetric_positive_definite": [
            ("_pair", "check_spd(matrix, given[matrix], s.shape[0])", "pass", "an indefinite matrix passes"),
        ],
    },
    "reference.parts.quasi_newton": {
        "reference/test_parts_quasi_newton.py::test_awkward_cases": [
            ("R(2.6)", "1 / curvature(s, y)", "1 / (y @ y)", "ρ with yᵀy"),
            ("R(2.6)", "1 / curvature(s, y)", "1000000 / (1000001 * curvature(s, y))", "ρ a millionth too small"),
            ("R(2.6)", "sv + sv.T", "sv + sv", "svᵀ twice: no longer symmetric"),
            ("R(2.6)", "H + (sv + sv.T)", "H - (sv + sv.T)", "the sign of svᵀ + vsᵀ"),
            ("R(2.6)", "(Bs / (s @ Bs))", "(Bs / sy)", "sᵀy for sᵀBs"),
            ("R(2.6)", "(y / sy)", "(y / (s @ s))", "ρ with sᵀs"),
            ("R(2.6)", "return B - Bs", "return B + Bs", "the sign of the rank-one term in Bs"),
            ("R(2.11)", "(Hy / (y @ Hy))", "(Hy / sy)", "sᵀy for yᵀHy"),
            ("R(2.11)", "s[:, None] * (s / sy)", "s[:, None] * (y / sy)", "syᵀ for ssᵀ"),
            ("R(2.11)", "(H, s, y)", "(H, y, s)", "the pair exchanged"),
            ("R(2.11)", "s / (s @ y) - Hy / yHy", "s / yHy - Hy / (s @ y)", "ρ and σ exchanged"),
            ("R(2.11)", "phi * yHy", "phi", "the factor yᵀHy is left out"),
            ("R(2.11)", "dfp + phi * yHy", "dfp - phi * yHy", "the sign of φ"),
            ("R(2.11)", "phi * yHy", "(1 - phi) * yHy", "φ counted from the other end"),
            ("bfgs_H", "v = rho * ((1 + rho * (y @ Hy)) / 2 * s - Hy)", "v = rho * ((1 + rho * (y @ Hy)) * s - Hy)",
             "the half is forgotten"),
        ],
        "reference/test_parts_quasi_newton.py::test_hessian_action_needs_no_inverse": [
            ("R§2.4", "s = H @ a", "s = A @ a", "A where its inverse belongs"),
            ("R§2.4", "y = A @ s", "y = A @ a", "A acts on a, not on s"),
        ],
        "reference/test_parts_quasi_newton.py::test_hessian_action_of_zero_is_a_pair_that_no_update_takes": [
            ("curvature", "sy > 0", "sy >= 0", "sᵀy = 0 passes"),
        ],
        "reference/test_parts_quasi_newton.py::test_matrices_that_are_not_symmetric_positive_definite": [
            ("_update", "check_spd(name, M, s.shape[0])", "pass", "an indefinite matrix passes"),
        ],
    },
    "reference.parts.smw": {
        "reference/test_parts_smw.py::test_awkward_cases": [
            ("R(5.6)", "lam * xp.inv(H)", "lam * H", "H for its inverse"),
            ("R(5.6)", "J @ J.T / N2", "J @ J.T", "1/N₂ is left out of D"),
            ("R(5.6)", "J @ J.T / N2", "J @ J.T / J.shape[0]", "divided by the rows of J, N₂·m_L of them"),
            ("R(5.6)", "J @ g) / N2)", "J @ g))", "1/N₂ is left out of the correction"),
            ("R(5.6)", "(g - J.T", "(g + J.T", "the sign of the correction"),
            ("R(5.6)", ") / lam", ")", "1/λ is left out"),
            ("R(5.7)", "lam * xp.eye", "xp.eye", "λ is left out of D"),
            ("R(5.7)", "J @ J.T @ H / N2", "J @ J.T @ H * 1000001 / (1000000 * N2)", "D a millionth off"),
            ("R(5.7)", "J @ J.T @ H", "H @ J @ J.T", "HJJᵀ for JJᵀH"),
            ("R(5.7)", "(H @ xp.solve(D, J @ g))", "xp.solve(D, J @ g)", "H is left out of the correction"),
            ("R(5.7)", ") / lam", ") / (lam * N2)", "1/N₂ once too often"),
        ],
        "reference/test_parts_smw.py::test_numbers_out_of_range": [
            ("_checked", "lam > 0", "lam >= 0", "λ = 0 passes"),
            ("_checked", "q % N2 == 0", "N2 <= q", "N₂ need not divide the rows of J"),
        ],
    },
    "reference.parts.tensors": {
        "reference/test_parts_tensors.py::test_vec_by_strides": [
            ("R§4.2.1", "reshape(A, (-1,))", "reshape(A.T, (-1,))", "first index fastest"),
        ],
        "reference/test_parts_tensors.py::test_mat_contraction_and_mode_product_of_the_text": [
            ("R§4.2.1", "(i - 1, *others)", "(i - 1, *reversed(others))", "Kolda and Bader's order of columns"),
            ("R§4.2.1", "permute_dims(A, (i - 1, *others))",
             "permute_dims(A, (i % A.ndim, *(axis for axis in range(A.ndim) if axis != i % A.ndim)))", "modes counted from 0"),
            ("R§4.2.1", "matricized @ matricized.T", "matricized.T @ matricized", "contracted along mode i"),
            ("R§4.2.1", "(*range(1, i), 0, *range(i, A.ndim))", "tuple(range(A.ndim))", "the new mode stays in front"),
            ("R§4.2.1", "(*range(1, i), 0, *range(i, A.ndim))", "(*range(1, A.ndim), 0)", "the new mode goes to the end"),
        ],
        "reference/test_parts_tensors.py::test_vec_columns": [
            ("R§5.2.1", "X.T", "X", "rows for columns"),
        ],
        "reference/test_parts_tensors.py::test_proposition_1": [
            ("R(4.3)", "enumerate(U, start=1)", "enumerate(U[:-1], start=1)", "the last mode is forgotten"),
            ("R(4.3)", "mode[1], mode[0]", "mode[1].T, mode[0]", "U_i transposed"),
            ("kron", "reduce(namespace(*U).kron, U)", "reduce(namespace(*U).kron, reversed(U))", "U_k ⊗ ⋯ ⊗ U_1"),
        ],
        "reference/test_parts_tensors.py::test_modes_that_do_not_exist": [
            ("_check_mode", "1 <= i", "0 <= i", "mode 0 passes and means the last one"),
        ],
    },
    "reference.parts.given": {
        f"{GIVEN}::test_a_state_of_other_shapes_or_arithmetic_is_refused[kfac]": [
            ("check_state", "none or _shapes(value) == expected", "True", "any shape passes"),
            ("check_state", "*_arrays(value))", ")", "any arithmetic passes"),
        ],
        f"{GIVEN}::test_what_is_no_state_or_hyper_of_the_method_is_refused[kfac]": [
            ("check_state", "and state.k >= 0", "", "a negative count passes"),
            ("check_state", 'check_fields("state", state, kind)', "None", "the State of another method passes"),
        ],
        f"{GIVEN}::test_parameters_that_are_not_finite_or_of_another_model_are_no_start[sgd_m]": [
            ("check_start", 'finite("params", nets.tensors(params))', "None", "nan is a start"),
            ("check_start", "nets.check_params(model, params)", "None", "parameters of another model are a start"),
        ],
        f"{GIVEN}::test_a_damping_that_is_not_positive_is_refused[smw_gn-lam_LM]": [
            ("check_positive", "bool(x > 0)", "True", "a negative damping passes"),
        ],
    },
    "reference.parts.descent": {
        f"{GIVEN}::test_numbers_that_no_float_holds": [
            ("finite", "namespace(x).all_finite(x)", "True", "a step may end in infinity"),
        ],
        f"{GIVEN}::test_what_is_no_state_or_hyper_of_the_method_is_refused[kfac]": [
            ("check_descent", 'check_fields("hyper", hyper, kind)', "None", "the Hyper of another method passes"),
        ],
        "reference/test_parts_descent.py::test_descend_in_loops": [
            ("R§3.7.2", "theta - alpha", "theta + alpha", "ascent"),
            ("R§3.7.2", "p + xp.const(gamma) * theta", "p + xp.const(gamma) / alpha * theta", "weight decay that α does not scale"),
            ("R§3.7.2", "const(gamma) * theta", "const(gamma) * p", "γ weighs the direction"),
        ],
        "reference/test_parts_descent.py::test_step_decay_at_its_boundaries": [
            ("learning_rate", "(k - 1) // alpha.period", "k // alpha.period", "falls one step too early"),
            ("learning_rate", "** ((k - 1) // alpha.period)", "** ((k - 1) / alpha.period)", "falls smoothly"),
        ],
        "reference/test_parts_descent.py::test_rates_that_are_not_positive": [
            ("check_rate", "lambda factor: factor > 0", "lambda factor: factor >= 0", "a factor of 0 passes"),
        ],
        "reference/test_parts_descent.py::test_gradient_by_central_differences": [
            ("gradient", "const(eta) * theta_i", "const(2 * eta) * theta_i", "the penalty is η‖θ‖²"),
        ],
        "reference/test_parts_descent.py::test_penalty_is_eta_theta_and_covers_biases": [
            ("gradient", "const(eta) * theta_i", "const(eta if theta_i.ndim == 2 else 0) * theta_i",
             "biases are not penalized"),
        ],
        "reference/test_parts_descent.py::test_gradients_that_overflow": [
            ("gradient", 'finite("g", g)', "g", "an infinite gradient goes on"),
        ],
        "reference/test_parts_descent.py::test_weight_decay_below_zero": [
            ("descend", "gamma >= 0", "True", "negative weight decay passes"),
        ],
    },
}
