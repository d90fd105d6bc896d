"""Slips in the methods of chapter 2, and in what they share."""

STEPS = "chapter2/test_chapter2_twins.py::test_three_steps_over_the_rationals"
VARIANTS = "chapter2/test_chapter2_twins.py::test_three_steps_of_every_variant_over_the_rationals"
SINGLE = "chapter2/test_chapter2_twins.py::test_single_steps_over_the_rationals_from_states_of_a_float_run"

SLIPS = {
    "reference.kbfgs20": {
        f"{STEPS}[narrow-kbfgs20]": [
            ("R4.1", "xp.const(hyper.beta), xp.const(hyper.mu1)", "xp.const(hyper.mu1), xp.const(hyper.beta)",
             "β and μ₁ exchanged"),
            ("R4.2", "    lam_A = xp.sqrt(xp.const(hyper.lam))", "    lam_A = xp.const(hyper.lam)", "λ for √λ at the start"),
            ("R4.2", "lam_G = xp.sqrt(xp.const(hyper.lam))", "lam_G = xp.const(hyper.lam)", "λ for √λ"),
            ("R4.3", "each(xp.zeros_like, joined(params))", "joined(params)", "∇f̂ starts from W̄"),
            ("R4.3", "each(second_moment, nets", "each(lambda a: second_moment(a - mean(a)), nets",
             "a covariance for the second moment"),
            ("R4.3", "damped(A, lam_A)", "damped(A, lam_A**2)", "λ for √λ in the first H_a"),
            ("R4.3", '== "inverse"', '!= "inverse"', "the two starts of H_a exchanged"),
            ("R4.3", "else xp.eye(layer.b.shape[0])", "else xp.eye(layer.b.shape[0]) / lam_A", "H_g starts from I/√λ"),
            ("R4.4", "state.k + 1", "state.k", "k counted from 0"),
            ("R4.6", "batch.x) if tape", "batch.x) if not tape", "the tape's test inverted"),
            ("R4.6", "batch.y)", "batch.y_sampled)", "∇f from sampled targets"),
            ("R4.8", "(1 - beta) * D", "D", "heavy ball: the factor 1 − β is left out"),
            ("R4.9", "state.H_g, grad_h, state.H_a", "state.H_g, grad, state.H_a", "the moving average is not used"),
            ("R4.9", "H_g @ D_h @ H_a", "H_g @ D_h", "H_a is left out"),
            ("R4.11", "join(layer) - alpha", "join(layer) + alpha", "ascent"),
            ("R4.11", "alpha * p,", "alpha * p * 1000001 / 1000000,", "a step a millionth too long"),
            ("R4.13", "params, batch", "split(params, each(lambda W, p: W + alpha * p, W, p)), batch",
             "the second pass runs at the old parameters"),
            ("R4.16", "h_p - mean(h)", "mean(h) - h_p", "s_g points backward"),
            ("R4.16", "beta * s + (1 - beta) *", "beta * s +", "s_g without the factor 1 − β"),
            ("R4.16", "(g_p - mean(g))", "g_p", "y_g is g⁺, not its change"),
            ("R4.17", "trusted(s, y, H", "trusted(y, s, H", "the pair exchanged"),
            ("R4.18", "s_t, y_t", "s_g, y_g", "the pair as it was before damping"),
            ("R4.20", "(1 - beta) * second_moment(a)", "second_moment(a)", "the factor 1 − β is left out"),
            ("R4.21", "lam_A), A)", "lam_A), state.A)", "stale A"),
            ("R4.22", "tape.a, A_LM)", "tape.a, A)", "A without its damping"),
            ("R4.22", "mean(a)", "a[0, 0]", "the first example for the mean"),
            ("R4.23", "s_a, y_a", "y_a, s_a", "the pair exchanged"),
        ],
        f"{VARIANTS}[penalty-kbfgs20]": [
            ("R4.6", "hyper.eta", "0", "the penalty is forgotten"),
        ],
        f"{VARIANTS}[two batches in the gradient-kbfgs20]": [
            ("R4.6", "state.grad_p", "()", "the second pass is not averaged in"),
            ("with_second_pass", "(D + D_p) / 2", "D + D_p", "a sum for the mean of the two gradients"),
        ],
        f"{VARIANTS}[no memory in the averages-kbfgs20]": [
            ("R4.8", "beta * D_h + (1 - beta) * D", "beta * D + (1 - beta) * D_h", "β for 1 − β"),
            ("R4.20", "beta * A + (1 - beta) * second_moment(a)", "(1 - beta) * A + beta * second_moment(a)", "β for 1 − β"),
        ],
        f"{VARIANTS}[two batches and a penalty-kbfgs20]": [
            ("R4.13", "hyper.eta", "0", "the second pass's gradient without the penalty"),
        ],
        f"{STEPS}[wide-kbfgs20]": [
            ("R4.17", "mu2=lam_G", "mu2=mu1", "μ₁ for μ₂"),
            ("R4.18", "s_t, y_t", "s_t, y_g", "ỹ is not used"),
        ],
        "planted/test_gaps.py::test_dampings_beyond_one_are_refused": [
            ("check_hyper", "0 < lam <= 1", "0 < lam", "λ = 2 passes"),
        ],
    },
    "reference.kbfgs20_l_skip": {
        f"{STEPS}[narrow-kbfgs20_l_skip]": [
            ("R5.1", "xp.const(hyper.beta), xp.const(hyper.mu1)", "xp.const(hyper.mu1), xp.const(hyper.beta)",
             "β and μ₁ exchanged"),
            ("R5.2", "    lam_A = xp.sqrt(xp.const(hyper.lam))", "    lam_A = xp.const(hyper.lam)", "λ for √λ at the start"),
            ("R5.2", "lam_G = xp.sqrt(xp.const(hyper.lam))", "lam_G = xp.const(hyper.lam)", "λ for √λ"),
            ("R5.3", "each(second_moment, nets", "each(lambda a: second_moment(a - mean(a)), nets",
             "a covariance for the second moment"),
            ("R5.3", "xp.inv(damped(A, lam_A))", "xp.inv(damped(A, 2 * lam_A))", "twice the damping in the first H_a"),
            ("R5.3", "hyper.p, layer.b)", "1, layer.b)", "one pair is kept, whatever p says"),
            ("R5.4", "state.k + 1", "state.k", "k counted from 0"),
            ("R5.6", "batch.x) if tape", "batch.x) if not tape", "the tape's test inverted"),
            ("R5.6", "batch.y)", "batch.y_sampled)", "∇f from sampled targets"),
            ("R5.8", "H_g @ D @ H_a", "H_g @ D", "H_a is left out"),
            ("R5.10", "join(layer) - alpha", "join(layer) + alpha", "ascent"),
            ("R5.12", "params, batch", "split(params, each(lambda W, p: W + alpha * p, W, p)), batch",
             "the second pass runs at the old parameters"),
            ("R5.15", "h_p - mean(h)", "mean(h) - h_p", "s_g points backward"),
            ("R5.15", "(g_p - mean(g))", "g_p", "y_g is g⁺, not its change"),
            ("R5.17", "(y_t @ (H @ y_t))", "(y_t @ y_t)", "H is left out of the test"),
            ("R5.17", ">= mu1", "<= mu1", "the good pairs are skipped"),
            ("R5.18", "s_t, y_t", "s_g, y_g", "the pair as it was before damping"),
            ("R5.21", "(1 - beta) * second_moment(a)", "second_moment(a)", "the factor 1 − β is left out"),
            ("R5.22", "lam_A), A)", "lam_A), state.A)", "stale A"),
            ("R5.23", "A_LM)", "A)", "A is inverted without its damping"),
        ],
        f"{VARIANTS}[penalty-kbfgs20_l_skip]": [
            ("R5.6", "hyper.eta", "0", "the penalty is forgotten"),
        ],
        f"{STEPS}[wide-kbfgs20_l_skip]": [
            ("R5.16", "mu2=lam_G", "mu2=mu1", "μ₁ for μ₂"),
        ],
        f"{SINGLE}[2-heavy damping-kbfgs20_l_skip]": [
            ("R5.18", " if accepted(H, s, y, mu1) else H", "", "nothing is skipped"),
        ],
        "planted/test_gaps.py::test_dampings_beyond_one_are_refused": [
            ("check_hyper", "0 < lam <= 1", "0 < lam", "λ = 2 passes"),
        ],
    },
    "reference.kfac20": {
        f"{STEPS}[narrow-kfac20]": [
            ("R§2.8.2", "over_data(data, factors)", "factors(data if isinstance(data, nets.Batch) else [*data][0])",
             "a warm start from the first batch only"),
            ("R7.1", "state.k + 1", "state.k", "k counted from 0"),
            ("R7.3", "batch.x) if tape", "batch.x) if not tape", "the tape's test inverted"),
            ("R7.3", "batch.y)", "batch.y_sampled)", "∇f from sampled targets"),
            ("R§2.5.2", "(1 - beta) * D", "D", "heavy ball: the factor 1 − β is left out"),
            ("R7.5", "state.H_g, grad_h, state.H_a", "state.H_g, grad, state.H_a", "the moving average is not used"),
            ("R7.5", "H_g @ D_h @ H_a", "H_g @ D_h", "H_a is left out"),
            ("R7.6", "join(layer) - alpha", "join(layer) + alpha", "ascent"),
            ("R7.8", "sampled_gradients(model, params, tape, batch)", "nets.pre_gradients(model, params, tape, batch.y)",
             "the empirical Fisher matrix"),
            ("R7.9", "(1 - beta) * second_moment(a)", "second_moment(a)", "A without the factor 1 − β"),
            ("R7.9", "(1 - beta) * second_moment(g)", "second_moment(g / len(g))",
             "G from the gradient of the mean loss: N² too small"),
            ("R7.9", "second_moment(g)", "mean(g)[:, None] * mean(g)[None, :]", "(mean g)² for the mean of g²"),
            ("R7.10", "k <= hyper.T or k % hyper.T == 0", "k % hyper.T == 0", "no inverses during the first T steps"),
            ("R7.10", "k <= hyper.T or k % hyper.T == 0", "True", "inverses at every step"),
            ("R7.11", "xp.inv(damped(A, root)), A)", "xp.inv(damped(A, root)), state.A)", "stale A"),
            ("R7.11", "damped(G, root)", "damped(G, root**2)", "λ for √λ"),
        ],
        f"{VARIANTS}[penalty-kfac20]": [
            ("R7.3", "hyper.eta", "0", "the penalty is forgotten"),
        ],
    },
    "reference.sqn": {
        "chapter2/test_chapter2_statements.py::test_the_frame_with_the_identity_is_gradient_descent": [
            ("R6.1", "start=1", "start=0", "k counted from 0"),
        ],
        "chapter2/test_chapter2_statements.py::test_the_frame_is_its_twin_with_any_matrices": [
            ("R6.2", " / len(grads)", "", "a sum for the mean"),
            ("R6.3", "make_H(past)", "make_H(past[:-1])", "the newest iteration is not used"),
            ("R6.4", "theta - learning_rate", "theta + learning_rate", "ascent"),
            ("R6.4", "(H @ grad_h)", "grad_h", "H is left out"),
        ],
    },
    "reference.parts.lbfgs": {
        "reference/test_methods_given.py::test_a_matrix_is_no_memory[kbfgs-kbfgs_l]": [
            ("check_kept", "all(n == p for n in kept)", "True", "a Memory passes for a matrix"),
        ],
        "chapter2/test_chapter2_lbfgs.py::test_compact_two_loops_and_dense_are_one_matrix": [
            ("R§2.3", "inner[:m]", "inner[m:]", "Y for S"),
            ("R§2.3", "xp.solve(R.T,", "xp.solve(R,", "R⁻¹ for R⁻ᵀ"),
            ("R§2.3", "+ h * (Y.T @ Y))", ")", "YᵀY is left out"),
            ("R§2.3", "- h * inner[m:]", "+ h * inner[m:]", "the sign of YᵀX"),
            ("R§2.3", "[top, -h * RSX]", "[top, h * RSX]", "the sign of Y R⁻¹SᵀX"),
            ("R§2.3", "both.T @ X", "2 * both.T @ X", "twice (S Y)ᵀX"),
            ("updated", "M.shape[1] - H.p + 1", "M.shape[1] - H.p", "p + 1 pairs are kept"),
            ("updated", "M[:, max(0, M.shape[1] - H.p + 1):], v[:, None]", "v[:, None], M[:, :H.p - 1]",
             "the newest pair comes first"),
            ("product", "xp.triu(SY)", "SY", "all of SᵀY for its upper triangle"),
        ],
        "chapter2/test_chapter2_lbfgs.py::test_a_zero_pair_leaves_everything_as_it_is": [
            ("updated", "abs(s @ y) <= namespace(s).smallest", "abs(s @ y) < 0", "a pair of zeros is taken"),
        ],
    },
    "reference.parts.kronecker": {
        f"{STEPS}[narrow-kbfgs20]": [
            ("join", "[xp.reshape(layer.W, (layer.W.shape[0], -1)), layer.b[:, None]]",
             "[layer.b[:, None], xp.reshape(layer.W, (layer.W.shape[0], -1))]", "the bias column in front"),
            ("_layer", "reshape(W_b[:, :-1], like.W.shape), W_b[:, -1]", "reshape(W_b[:, 1:], like.W.shape), W_b[:, 0]",
             "the bias column in front"),
            ("means", "batch.y)", "batch.y_sampled)", "sampled targets in the second pass"),
            ("second_moment", "rows.T @ rows / x.shape[0]", "rows.T @ rows", "a sum over examples for their mean"),
            ("over_data", "x * n / total", "x / len(batches)", "batches weighted alike, whatever their size"),
            ("damped", "A + lam * namespace(A).eye(A.shape[0])", "A * (1 + lam)", "relative damping"),
        ],
        f"{STEPS}[narrow-kfac20]": [
            ("sampled_gradients", "batch.y_sampled)", "batch.y)", "the empirical Fisher matrix"),
        ],
        "chapter2/test_chapter2_twins.py::test_the_penalty_is_the_gradient_of_half_eta_theta_squared": [
            ("joined_gradient", "D + eta * W", "D + 2 * eta * W", "the penalty is η‖θ‖²"),
        ],
        "chapter2/test_chapter2_awkward.py::test_a_gradient_that_is_not_finite_is_refused": [
            ("joined_gradient", 'finite("grad", grad)', "grad", "an infinite gradient goes on"),
        ],
    },
}
