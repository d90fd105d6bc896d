"""Slips in grouped Newton: series, summaries, partitions, the cubic step, Algorithm 1."""

SUMMARIES = "nets/test_taylor.py::test_summaries_of_polynomial_nets_are_exact"
SMOOTH = "nets/test_taylor.py::test_summaries_against_automatic_differentiation"
EXACT = "grouped/test_grouped_twins.py::test_three_steps_over_the_rationals"
DIGITS = "grouped/test_grouped_twins.py::test_four_steps_in_forty_digits"
BEATS = "grouped/test_cubic.py::test_every_solution_has_its_certificate_and_beats_a_thousand_others"

SLIPS = {
    "arrays.series": {
        SUMMARIES: [
            ("_convolution", "y[k - i] is not None)", "y[k - i] is not None and i)", "the product rule loses x₀ y_k"),
            ("SeriesSpace.where", "zero if b is None else b", "zero if a is None else a", "the coefficients of the other branch"),
            ("Series.__setitem__", "mine[k][index] = self.space.inner.zeros_like(other.value) if c is None else c",
             "mine[k] = mine[k]", "coefficients are not stored"),
        ],
        SMOOTH: [
            ("Series.__truediv__", "x[k - 1], _convolution((None, *y), q, k)", "x[k - 1], None",
             "a quotient with a constant divisor"),
            ("_integral", "total / k", "total", "the 1/k of an integral"),
            ("_integral", "j * (a[j - 1] * w[k - j])", "a[j - 1] * w[k - j]", "the j of a derivative"),
            ("SeriesSpace.tanh", "_minus(None, _convolution(y, y, k))", "_convolution(y, y, k)", "tanh′ = 1 + y²"),
            ("SeriesSpace.logistic", "_minus(y[k], _convolution(y, y, k))", "y[k]", "the logistic slope is taken for y"),
            ("SeriesSpace._softmax", "_minus(a[k - 1], None if l[k] is None else l[k][..., None])", "a[k - 1]",
             "p′ = p x′ without the mean"),
            ("SeriesSpace.sqrt", "2 * value", "value", "the 2 under a root's derivative"),
            ("SeriesSpace.softplus", "self.logistic(x)", "self.exp(x)", "the slope of softplus"),
        ],
    },
    "nets.partitions": {
        "nets/test_taylor.py::test_what_is_no_partition_is_refused": [
            ("labels", "(label >= 0).all()", "True", "parameters may be missing"),
            ("labels", "(label[subset] < 0).all() and", "True and", "subsets may overlap"),
            ("labels", " and np.diff(np.sort(subset)).all()", "", "a subset may name a parameter twice"),
            ("labels", "subset < P", "subset <= P", "a parameter too many"),
        ],
        "nets/test_taylor.py::test_partitions_by_name": [
            ("by_depth_and_role", "for run in runs for role in (0, 1)", "for role in (0, 1) for run in runs", "roles first"),
            ("by_depth_and_role", "np.array_split(np.arange(L), chunks)", "np.array_split(np.arange(L), chunks)[::-1]",
             "from the end"),
        ],
    },
    "nets.taylor": {
        SUMMARIES: [
            ("W§4.2", "factorial(3)", "1", "the coefficient of t³ for the third derivative"),
            ("W§4.2", "s, 3)", "s, 2)", "the coefficient of t²"),
            ("W§4.1", "u_i * g_i.value", "abs(u_i) * g_i.value", "the sign of ḡ"),
            ("W§4.1", "u_i * _coefficient(g_i, s, 1)", "u_i * _coefficient(g_i, s, 1) / 2", "half of the Hessian"),
            ("summaries", "(twice + twice.T) / 2", "twice + twice.T", "twice the Hessian"),
            ("summaries", "(a < b) - (a > b)", "(a > b) - (a < b)", "rows of directions that have not gone back so far"),
            ("summaries", "start < l for", "start > l for", "the other directions go back"),
            ("W§A", "s, 1)", "0, 1)", "the first subset for all"),
        ],
        "nets/test_taylor.py::test_taylor_terms_are_the_sums_of_the_tensors": [
            ("W§3", "factorial(d)", "d", "d for d!"),
        ],
        "nets/test_taylor.py::test_any_partition_is_the_sum_over_a_finer_one": [
            ("pieces", "label == s", "label >= s", "subsets that overlap"),
        ],
        EXACT: [
            ("spread", "@ eta", "@ (0 * eta + eta[0])", "the first step size for all of a mixed tensor"),
        ],
    },
    "reference.grouped_newton": {
        EXACT: [
            ("W1.2", "batch.y", "second_sample(batch).y[:len(batch.y)]", "targets of the other sample"),
            ("W1.3", "state.u, g,", "state.u, state.u,", "u never moves"),
            ("W1.4", "t % hyper.tau == 0", "t == 0", "η is computed once"),
            ("W1.5", "second_sample(batch)", "batch", "one sample for both"),
            ("W1.6", "nets.layers(u, params)", "nets.layers(g, params)", "along g, not along u"),
            ("W1.6", "nets.layers(u, params)", "nets.layers(state.u, params)", "stale u"),
            ("W1.7", "xp.maximum(e, xp.zeros(())) if hyper.positive else e", "e", "the positive part is missing"),
            ("W1.7", "momentum(mu_eta, eta, xp.maximum(e, xp.zeros(())) if hyper.positive else e, t)",
             "xp.maximum(momentum(mu_eta, eta, e, t), xp.zeros(())) if hyper.positive else momentum(mu_eta, eta, e, t)",
             "the positive part after the average"),
            ("W1.8", "theta_i - state.lam", "theta_i + state.lam", "the step goes up"),
            ("W1.8", "state.lam * (eta_i * u_i)", "eta_i * u_i", "λ is missing"),
            ("W1.8", "taylor.spread(eta,", "taylor.spread(state.eta,", "stale η"),
            ("W1.8", "label), u,", "label), g,", "along g, not along u"),
            ("W§F", "mu * a + (1 - mu) * b", "(1 - mu) * a + mu * b", "the weights exchanged"),
            ("W§F", "b if t == 0 else ", "", "an average that starts from 0"),
        ],
        DIGITS: [
            ("W§4.2", "xp.root(abs(D3_diag), 3)", "abs(D3_diag)", "the cube root is missing"),
            ("W(2)", "hyper.lam_int)", "hyper.lam_int / 3)", "1/6 for 1/2"),
        ],
        "grouped/test_grouped_methods.py::test_schedule_acts_every_n_sch_steps": [
            ("W1.9", "state.k % hyper.N_sch", "0", "after every step"),
        ],
        "grouped/test_grouped_methods.py::test_schedule_follows_torch_step_by_step": [
            ("W1.9", "1 - xp.const(hyper.threshold)", "1", "any improvement counts"),
            ("W1.9", "state.bad < hyper.p_sch", "state.bad <= hyper.p_sch", "one more time patient"),
            ("W1.9", "state.lam * xp.const(hyper.f_sch)", "xp.const(hyper.lam1) * xp.const(hyper.f_sch)", "λ falls once only"),
        ],
        "grouped/test_grouped_methods.py::test_curvature_as_rows_another_batch_or_none": [
            ("second_sample", "batch.y[rows]", "batch.y[:rows.shape[0]]", "the targets of other rows"),
        ],
    },
    "reference.parts.brackets": {
        "grouped/test_cubic.py::test_every_lambda_beside_the_textbook_hard_case": [
            ("crossing", "return x", "pass", "a bracket that holds no number is halved for ever"),
        ],
    },
    "reference.parts.cubic": {
        "grouped/test_cubic.py::test_the_scalar_equation_alone_solves_what_is_well_scaled": [
            ("W(6)", "size - 2 *", "size - 6 *", "1/6 in the scalar equation"),
        ],
        "grouped/test_cubic.py::test_without_cubic_term_it_is_equation_1_exactly": [
            ("W(1)", "solve(A, b)", "solve(A, 2 * b)", "twice as far"),
        ],
        EXACT: [
            ("W(2)", ".eta", ".residual", "the residual is handed back"),
        ],
        BEATS: [
            ("W(3)", "lam / 2", "lam / 6", "1/6 in the gradient"),
            ("W§D", "lam / 6", "lam / 2", "1/2 in the model"),
            ("W§D", "-(g @ eta)", "g @ eta", "the sign of ḡ in the model"),
            ("W(4)", "H / d[:, None] / d[None, :]", "H / d[:, None]", "K = D⁻¹H̄"),
            ("W(4)", "g / d ", "g ", "c = ḡ"),
            ("W(4)", "/ d, tau if", ", tau if", "η′ for η"),
            ("W(5)", "(base + tau)", "(base + 2 * tau)", "the shift twice"),
            ("_bent", "missing * v", "0 * v", "the hard case without its free part"),
            ("_bent", "norm(rest) <= r_0", "norm(rest) > r_0", "the hard case at the wrong side"),
        ],
        "grouped/test_cubic.py::test_subsets_whose_cubic_terms_are_of_very_different_size": [
            ("_lowest", "room = eps * size", "room = size", "a saddle passes for a minimum"),
            ("solution", "not (_proved(found, g, H, d, lam) and", "not (True and", "what nothing proves is not solved again"),
            ("_graded", "lam / 2 * r * d * d", "lam / 6 * r * d * d", "1/6 in M(r)"),
        ],
        "grouped/test_cubic.py::test_a_matrix_that_is_singular_but_for_rounding_says_so": [
            ("_solve", "roundoff(xp, A.shape[0])", "0", "no doubt about an inverse"),
        ],
        "grouped/test_cubic.py::test_of_two_minimisers_the_same_one_is_taken": [
            ("_bottom", "P[first] / norm(P[first])", "kept[:, 0] / norm(kept[:, 0])", "the sign of an eigenvector routine"),
        ],
        "grouped/test_cubic.py::test_coordinates_without_cubic_term_are_eliminated": [
            ("solution", "H_b - B.T @ to_eta", "H_b", "no Schur complement"),
        ],
    },
}
