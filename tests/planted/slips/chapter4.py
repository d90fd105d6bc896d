"""Slips in the methods of chapter 4, and in what they share."""

STEPS = "chapter4/test_chapter4_twins.py::test_three_steps_with_sixty_digits"
VARIANTS = "chapter4/test_chapter4_twins.py::test_three_steps_of_every_variant_with_sixty_digits"
STATEMENTS = "chapter4/test_chapter4_statements.py"
AWKWARD = "chapter4/test_chapter4_awkward.py"
ROOTS = "reference/test_parts_roots.py"
NORMAL = "reference/test_parts_tensor_normal.py"

SLIPS = {
    "reference.tnt": {
        f"{STEPS}[elu, probabilities-tnt]": [
            ("R15.1", "xp.const(hyper.mu), xp.const(hyper.beta)", "xp.const(hyper.beta), 1 - xp.const(hyper.beta)",
             "β for μ, 1 − β for β"),
            ("R15.2", "factors_over_data(data, statistics)",
             "factors_over_data(data if isinstance(data, nets.Batch) else [*data][:1], statistics)",
             "a warm start from the first batch only"),
            ("R15.2", "zeros_like, theta", "ones_like, theta", "momentum starts from ones"),
            ("init", "inverses(each(lambda G: identify.trusted(G).U_t, G_h), eps)", "inverses(G_h, eps)",
             "the first inverses are those of Ĝ"),
            ("R15.3", "state.k + 1", "state.k", "t counted from 0"),
            ("R15.5", "batch.x) if tape", "0 * batch.x) if tape", "a pass over blank inputs"),
            ("R15.5", "params, batch, hyper.eta", "params, with_sampled(batch), hyper.eta", "∇𝓛 from sampled targets"),
            ("R15.10", "+ D,", "+ (1 - mu) * D,", "a moving average for heavy ball"),
            ("R15.12", "(1 - beta) * new", "new", "the factor 1 − β is left out"),
            ("R15.12", "contractions(G_b,", "contractions(grad,", "the empirical gradient is contracted"),
            ("R15.15", "identify.trusted(G).U_t, G_h) if k", "identify.trusted(G).U_t, state.G_h) if k", "stale Ĝ"),
            ("R15.15", "each(lambda G: identify.trusted(G).U_t, G_h) if", "G_h if", "Ĝ for Ũ"),
            ("R15.16", "inverses(U_t, eps)", "inverses(G_h, eps)", "Ĝ is inverted"),
            ("R15.18", "(grad_h, U_inv", "(grad, U_inv", "the momentum is not used"),
            ("R15.18", "(grad_h, U_inv", "(grad_h, state.U_inv", "stale inverses"),
            ("averaged", "with_sampled(batch)", "batch", "the empirical Fisher matrix"),
            ("inverses", "damped(U, eps)", "damped(U, eps**2)", "ε² for ε"),
        ],
        f"{VARIANTS}[statistics every second step, inverses every third-tnt]": [
            ("R15.6", "k % hyper.T_1 == 0", "k % hyper.T_2 == 0", "T_2 for T_1"),
            ("R15.14", "k % hyper.T_2 == 0", "k % hyper.T_1 == 0", "T_1 for T_2"),
        ],
        f"{VARIANTS}[penalty-tnt]": [
            ("R15.5", "hyper.eta", "0", "the penalty is forgotten"),
            ("R15.19", "hyper.gamma", "0", "no weight decay"),
            ("R15.20", "descend(W, p, alpha", "descend(W, -p, alpha", "ascent"),
            ("averaged", "with_sampled(batch), 0", "with_sampled(batch), hyper.eta", "the penalty in the Fisher matrix"),
        ],
        f"{STEPS}[elu, probabilities-tnt_ef]": [
            ("averaged", 'hyper.fisher == "empirical"', 'hyper.fisher != "empirical"', "sampled and empirical exchanged"),
        ],
        f"{AWKWARD}::test_hyper_parameters_out_of_their_range_are_refused": [
            ("check_hyper", 'hyper.fisher in ("sampled", "empirical")', "hyper.fisher", "any word passes"),
        ],
    },
    "reference.shampoo": {
        f"{STEPS}[elu, probabilities-shampoo]": [
            ("R16.1", "xp.const(hyper.mu), xp.const(hyper.beta)", "xp.const(hyper.beta), 1 - xp.const(hyper.beta)",
             "β for μ, 1 − β for β"),
            ("R16.2", "factors_over_data(data, lambda", "factors_over_data([*data][:1], lambda",
             "a warm start from the first batch only"),
            ("R16.2", "zeros_like, theta", "ones_like, theta", "momentum starts from ones"),
            ("init", "roots(G_h, hyper))", "each(lambda G: each(lambda M: M**0, G), G_h))", "the first roots are full of ones"),
            ("R16.3", "state.k + 1", "state.k", "t counted from 0"),
            ("R16.5", "params, batch,", "params, batch._replace(y=batch.y_sampled),", "∇𝓛 from sampled targets"),
            ("R16.7", "+ D,", "+ (1 - mu) * D,", "a moving average for heavy ball"),
            ("R16.9", "beta * G + (1 - beta) * new", "G + new", "a sum for the moving average"),
            ("R16.9", "contractions(grad,", "contractions(grad_h,", "the momentum is contracted"),
            ("R16.12", "roots(G_h, hyper) if", "roots(state.G_h, hyper) if", "stale Ĝ"),
            ("R16.14", "(grad_h, root_inv", "(grad, root_inv", "the momentum is not used"),
            ("R16.14", "(grad_h, root_inv", "(grad_h, state.root_inv", "stale roots"),
            ("roots", "2 * len(G)", "len(G)", "−1/k for −1/2k"),
            ("roots", "2 * len(G)", "4", "−1/4 for every order"),
            ("roots", "damped(G_i, namespace(G_i).const(hyper.eps))", "damped(G_i, namespace(G_i).const(hyper.eps)**2)",
             "ε² for ε"),
        ],
        f"{VARIANTS}[statistics every second step, inverses every third-shampoo]": [
            ("R16.8", "k % hyper.T_1 == 0", "k % hyper.T_2 == 0", "T_2 for T_1"),
            ("R16.11", "k % hyper.T_2 == 0", "k % hyper.T_1 == 0", "T_1 for T_2"),
        ],
        f"{VARIANTS}[penalty-shampoo]": [
            ("R16.2", "hyper.eta", "0", "the penalty is forgotten in the warm start"),
            ("R16.5", "hyper.eta", "0", "the penalty is forgotten"),
            ("R16.15", "hyper.gamma", "0", "no weight decay"),
            ("R16.16", "descend(W, p, alpha", "descend(W, -p, alpha", "ascent"),
        ],
    },
    "reference.tnt_ideal": {
        f"{STEPS}[elu, probabilities-tnt_ideal]": [
            ("R14.3", "batch, hyper.eta", "batch._replace(y=batch.y_sampled), hyper.eta", "∇𝓛 from sampled targets"),
            ("R14.4", "expectation(model, params, examples(batch), hyper.view)",
             "by_mode(lambda E: E / len(batch.x), expectation(model, params, examples(batch), hyper.view))", "E/m for E"),
            ("R14.4", "each(lambda E: identify.trusted(E).U_t, G)", "G", "E[G⁽ⁱ⁾] for Ũ"),
            ("R14.5", "damped(U, eps)", "U", "ε is left out"),
            ("R14.5", "(grad, U_inv", "(grad, U_t", "the covariance for its inverse"),
            ("R14.6", "W - alpha", "W + alpha", "ascent"),
            ("mean_contractions", ".T / N)", ".T)", "a sum for the mean over examples"),
        ],
        f"{VARIANTS}[a rate that falls-tnt_ideal]": [
            ("R14.1", "state.k + 1", "state.k + 2", "t counted from 2"),
        ],
        f"{VARIANTS}[penalty-tnt_ideal]": [
            ("R14.3", "hyper.eta", "0", "the penalty is forgotten"),
        ],
        f"{STATEMENTS}::test_the_ideal_method_takes_its_expectation_over_the_examples_it_is_told": [
            ("examples", "rows.x", "batch.x", "the other batch is not looked at"),
            ("examples", "batch.x[rows]", "batch.x", "the rows are not looked at"),
        ],
        f"{STATEMENTS}::test_the_ideal_method_refuses_what_names_no_examples": [
            ("examples", "check_rows(rows, batch.x.shape[0])", "rows", "rows that are none are taken"),
        ],
    },
    "reference.block_fisher": {
        f"{STEPS}[elu, probabilities-block_fisher]": [
            ("init", "over_data(data, lambda", "over_data([*data][:1], lambda", "a warm start from the first batch only"),
            ("step", "tape, batch.y), tape.a", "tape, batch.y_sampled), tape.a", "∇𝓛 from sampled targets"),
            ("step", "(1 - beta) * D,", "D,", "heavy ball"),
            ("step", "(1 - beta) * new", "new", "the factor 1 − β is left out"),
            ("step", "damped(F, eps)", "F", "ε is left out"),
            ("step", "vec(D_h)), D_h.shape), F, grad_h)", "vec(D_h)), D_h.shape), state.F, grad_h)", "stale F"),
            ("step", "join(layer) - alpha", "join(layer) + alpha", "ascent"),
            ("blocks", "with_sampled(batch).y", "batch.y", "the empirical Fisher matrix"),
            ("second_moment_of_gradients", "rows.T @ rows / g.shape[0]", "rows.T @ rows", "a sum for the mean over examples"),
        ],
        f"{VARIANTS}[a rate that falls-block_fisher]": [
            ("step", "state.k + 1", "state.k", "k counted from 0"),
        ],
        f"{VARIANTS}[penalty-block_fisher]": [
            ("step", "hyper.eta", "0", "the penalty is forgotten"),
        ],
    },
    "reference.parts.roots": {
        f"{ROOTS}::test_a_tolerance_that_says_nothing_changes_nothing": [
            ("coupled_newton", "Fraction(1, 2 * d)", "1", "a tolerance that says nothing ends the iteration"),
        ],
        f"{ROOTS}::test_the_backward_error_is_below_its_bound_or_the_failure_is_signalled": [
            ("_iterated", "(p + 1) * I - M) / p", "(p + 1) * I - M) / (p + 1)", "T is divided by p + 1"),
            ("_iterated", "_symmetric(_power(T, p) @ M)", "_symmetric(T @ M)", "T for Tᵖ"),
            ("_iterated", "_symmetric(X @ T)", "_symmetric(X @ _power(T, p))", "Tᵖ for T"),
            ("_iterated", "xp.root(norm, p))", "norm)", "the norm without its root"),
            ("_iterated", "M = B / norm", "M = B / norm**2", "M starts elsewhere than X"),
        ],
        f"{ROOTS}::test_perfect_roots_are_exact": [
            ("inverse_root", "_found(A, p, tolerance)", "_found(A, 2 * p, tolerance)", "−1/2p for −1/p"),
        ],
        f"{ROOTS}::test_a_hundred_iterations_are_the_limit": [
            ("MOST", "100", "1000", "a thousand iterations"),
        ],
        f"{ROOTS}::test_rank_deficient_statistics_with_damping": [
            ("coupled_newton", "residual <= 0.5", "residual <= 100", "a root without a digit passes"),
        ],
    },
    "reference.parts.tensor_normal": {
        f"{NORMAL}::test_log_density_is_that_of_the_dense_normal_distribution": [
            ("R§4.2", "xp.sum(white**2)) / 2", "xp.sum(white**2))", "the half is left out"),
            ("R§4.2", "2 * xp.pi", "xp.pi", "π for 2π"),
            ("R§4.2", "+ log_det", "- log_det", "the sign of log det"),
            ("log_density", "2 * (n // C.shape[0])", "n // C.shape[0]", "the determinant of C for that of CCᵀ"),
        ],
        f"{NORMAL}::test_a_sample_is_the_mean_plus_the_dense_root_times_the_draws": [
            ("sample", "M + mode_products", "mode_products", "the mean is left out"),
            ("sample", "cholesky(U_i) for", "cholesky(U_i).T for", "Cᵀ for C"),
        ],
        f"{NORMAL}::test_the_moment_identity_by_enumeration": [
            ("R(4.2)", "traces[:i] + traces[i + 1:]", "traces", "the mode's own trace too"),
        ],
        f"{NORMAL}::test_what_is_identified_has_the_moments_and_one_mean_eigenvalue": [
            ("R(4.10)", "root(mean, k)", "root(mean, 1)", "c_0 without its root"),
            ("R(4.10)", "c_0 ** (k - 1)", "c_0 ** k", "c_0 to the power k"),
            ("R(4.10)", "(n // E_j.shape[0])", "n", "the product of all d_j"),
        ],
        f"{NORMAL}::test_zero_statistics_are_identified_as_zero": [
            ("identify", "if not mean > 0:", "if mean < 0:", "0/0"),
        ],
        f"{NORMAL}::test_shapes_that_do_not_fit_are_refused": [
            ("_checked", "xp.symmetric(U_i)", "True", "an asymmetric covariance passes"),
        ],
        f"{NORMAL}::test_statistics_at_the_ends_of_the_floats": [
            ("identify", "if not mean > 0:", "if not total > 0:", "0/0 where the mean eigenvalue rounds to 0"),
            ("identify", "xp.all_finite(mean)", "True", "Ũ = 0 where the trace overflows"),
        ],
        f"{NORMAL}::test_statistics_that_are_none_are_refused": [
            ("_prepare_statistics", "xp.symmetric(E_j)", "True", "an asymmetric matrix passes"),
            ("_prepare_statistics", "trace(E_j) >= 0", "True", "a trace below 0 passes"),
        ],
        f"{NORMAL}::test_views_of_a_kernel": [
            ("R§4.8", "*modes", "*shape", "vectors that are none"),
            ("_modes", "out, d_in * kh * kw", "out * d_in, kh * kw", "another matrix"),
            ("as_modes", "xp.permute_dims(A, axes), (*head, *modes)", "xp.permute_dims(A, axes), (*head, *modes[::-1])",
             "the sizes of the modes in reverse"),
            ("_modes", "kh * kw, d_in, out)", "kh, kw * d_in, out)", "the width goes to the inputs"),
            ("as_modes", "(2, 3, 1, 0)", "(3, 2, 1, 0)", "columns of the filter one after the other"),
        ],
        f"{NORMAL}::test_views_come_back_and_go_behind_leading_axes": [
            ("from_modes", "(3, 2, 0, 1)", "(3, 2, 1, 0)", "height and width exchanged"),
            ("as_modes", "lead + axis", "axis", "leading axes are turned, too"),
        ],
        f"{STATEMENTS}::test_the_direction_of_TNT_is_the_dense_system": [
            ("R(4.8)", "as_modes(G_l, view), U)", "as_modes(G_l, view), [U_i @ U_i for U_i in U])", "every factor twice"),
        ],
        f"{AWKWARD}::test_hyper_parameters_out_of_their_range_are_refused": [
            ("check_factors", "hyper.T_2 >= hyper.T_1", "hyper.T_2 >= 1", "T_2 < T_1 passes"),
            ("check_factors", "lambda eps: eps > 0", "lambda eps: eps >= 0", "ε = 0 passes"),
        ],
    },
    "reference.parts.fisher": {
        f"{STATEMENTS}::test_weighted_targets_have_the_second_moment_of_the_output_gradient": [
            ("weighted_targets", "yield p.p[:, j], e ", "yield one / output.shape[1], e ", "labels with equal probability"),
            ("weighted_targets", "p.p[:, j], rest + e", "p.p[:, j], p.p", "an output at its mean, for a 1"),
            ("weighted_targets", "xp.logistic(-output[:, j]), rest", "p.p[:, j], rest", "the probability of a 1 for a 0"),
            ("weighted_targets", "yield one, output + e", "yield one, output + 2 * e", "two standard deviations"),
        ],
        f"{STATEMENTS}::test_block_fisher_is_the_full_fisher_matrix_of_every_layer": [
            ("of_weights", "@ a", "@ (a + 0 * a) / 2", "half of the gradient"),
        ],
        f"{STEPS}[elu, probabilities-tnt_ideal]": [
            ("_of_layer", "D[:, :, :-1]", "D[:, :, 1:]", "the bias column in front"),
        ],
        f"{AWKWARD}::test_targets_are_needed_in_the_steps_that_draw_alone": [
            ("with_sampled", "batch.y_sampled is not None", "True", "no targets, no complaint"),
        ],
    },
    "arrays.floats": {
        "arrays/test_roots_of_numbers.py::test_roots_of_floats_are_right_to_two_units_over_the_whole_range": [
            ("Floats.root", "y - (y**k - x)", "y - 0 * (y**k - x)", "x^(1/k) without its correction"),
        ],
    },
    "arrays.objects": {
        "arrays/test_roots_of_numbers.py::test_inverse_roots_with_large_numerators_and_denominators": [
            ("Rationals.inverse_root", "mpmath.root(1 / t, p)", "mpmath.root(t, p)", "the root for the inverse root"),
            ("Rationals.inverse_root", "bits *= 2", "break", "only the simplest fractions are tried"),
        ],
    },
}
