"""Slips in the methods of chapter 3, and in what they share."""

TWINS = "chapter3/test_chapter3_twins.py"
STEPS = f"{TWINS}::test_chapter_3_three_steps_over_the_rationals"
VARIANTS = f"{TWINS}::test_chapter_3_three_steps_of_every_variant_over_the_rationals"
NORMALISED = f"{TWINS}::test_K_BFGS_with_batch_normalisation_step_by_step_with_sixty_digits[normalised vectors-kbfgs]"
DIGITS = f"{TWINS}::test_chapter_3_three_steps_with_sixty_digits"
PERIODS = f"{TWINS}::test_K_FAC_of_chapter_3_with_other_periods"
AWKWARD = "chapter3/test_chapter3_awkward.py"
FULL_MEMORY = "chapter3/test_chapter3_statements.py::test_memory_for_every_step_is_K_BFGS_of_chapter_3[3]"
ACTION = "reference/test_parts_quasi_newton.py::test_minibatch_action_is_that_of_the_second_moment"

SLIPS = {
    "reference.kbfgs": {
        f"{AWKWARD}::test_the_positions_of_batch_normalisation_bound_no_lambda": [
            ("check_hyper", "if len(shape) > 1", "if shape", "the positions of a BatchNorm count"),
        ],
        f"{STEPS}[four positions-kbfgs]": [
            ("R9.1", "xp.const(hyper.beta), xp.const(hyper.mu1)", "xp.const(hyper.mu1), xp.const(hyper.beta)",
             "β and μ₁ exchanged"),
            ("init", "split_damping(model, params, hyper.lam)", "split_damping(model, params, hyper.lam)[::-1]",
             "λ_A and λ_G exchanged at the start"),
            ("step", "split_damping(model, params, hyper.lam)", "split_damping(model, params, hyper.lam)[::-1]",
             "λ_A and λ_G exchanged"),
            ("R9.3", "each(xp.zeros_like, joined(params))", "joined(params)", "𝒟Ŵ starts from W̄"),
            ("R9.3", "over_data(data, second_moments)", "second_moments(data if isinstance(data, nets.Batch) else data[0])",
             "a warm start from the first batch alone"),
            ("R9.3", "damped(A, lam_A)", "damped(A, lam_A**2)", "the damping squared in the first H_A"),
            ("R9.3", "else xp.eye(layer.b.shape[0]) / lam_G", "else xp.eye(layer.b.shape[0])", "H_G starts from I"),
            ("R9.3", "xp.zeros_like(layer.b), layers", "layer.b, layers", "the averages start from the biases"),
            ("R9.4", "state.k + 1", "state.k", "k counted from 0"),
            ("R9.6", "batch.x) if tape", "batch.x) if not tape", "the tape's test inverted"),
            ("R9.6", "batch.y)", "batch.y_sampled)", "𝒟W from sampled targets"),
            ("R9.8", "beta * D_h + D", "beta * D_h + (1 - beta) * D", "an average for the momentum of chapter 3"),
            ("R9.9", "H_G @ D_h @ H_A", "H_G @ D_h", "H_A is left out"),
            ("R9.9", "state.H_G, DW_h, state.H_A", "state.H_G, DW, state.H_A", "the momentum is not used"),
            ("R9.10", "descend(W, p,", "descend(W, -p,", "ascent"),
            ("R9.13", "params, batch", "split(params, each(lambda W, p: W + alpha * p, W, p), norm), batch",
             "the second pass runs at the old parameters"),
            ("R9.16", "H_A, a, lam_A)", "H_A, a, lam_G)", "λ_G in the action of A"),
            ("R9.17", "H_A, s_A, y_A)", "H_A, y_A, s_A)", "the pair exchanged"),
            ("R9.19", "h_p - mean(h)", "mean(h) - h_p", "s_G points backward"),
            ("R9.19", "beta * s + (1 - beta) *", "beta * s +", "s_G without the factor 1 − β"),
            ("R9.19", "(g_p - mean(g))", "g_p", "y_G is 𝒟h⁺, not its change"),
            ("R9.20", "trusted(s, y, H", "trusted(y, s, H", "the pair exchanged"),
            ("R9.20", "H_G, lam_G)", "H_G, lam_A)", "λ_A damps the pair of G"),
            ("R9.21", "s_t, y_t)", "s_G, y_G)", "the pair as it was before damping"),
            ("step", "dp_dlm if hyper.improvement1 else double_damping", "double_damping if hyper.improvement1 else dp_dlm",
             "the two dampings exchanged"),
            ("step", "if hyper.improvement2:", "if not hyper.improvement2:", "the two ways to y_A exchanged"),
        ],
        f"{STEPS}[four positions-kbfgs_l]": [
            ("R9.3", "layer.b, 1 / lam_G) if", "layer.b, lam_G) if", "L-BFGS starts from λ_G I"),
        ],
        f"{VARIANTS}[weight decay-kbfgs]": [
            ("R9.6", "params, 0)", "params, hyper.gamma)", "the decay goes through the momentum, as a penalty does"),
            ("R9.10", "hyper.gamma)", "0)", "the decay is forgotten"),
        ],
        f"{VARIANTS}[curvature in every second step-kbfgs]": [
            ("R9.12", "k % hyper.T == 0", "(k - 1) % hyper.T == 0", "the curvature is renewed in the first step of each period"),
        ],
        f"{VARIANTS}[a moving average of A-kbfgs]": [
            ("R§2.4", "(1 - beta) * second_moment(a)", "second_moment(a)", "the factor 1 − β is left out"),
            ("R§2.4", "damped(A, lam)", "A", "A without its damping"),
        ],
        NORMALISED: [
            ("R9.6", "stacked_gradient(g, tape.a, params)", "tuple(D[::-1] for D in stacked_gradient(g, tape.a, params))",
             "𝒟γ and 𝒟β exchanged"),
            ("R§3.4.3", "beta * D_h + D,", "beta * D_h + (1 - beta) * D,", "an average for the momentum of (γ; β)"),
            ("R§3.4.3", "alpha / xp.const(hyper.lam) * D_h", "alpha * D_h", "1/λ is left out"),
        ],
        f"{AWKWARD}::test_without_improvement_1_lambda_may_be_as_large_as_the_fewest_positions[kbfgs]": [
            ("check_hyper", "hyper.lam <= P", "hyper.lam <= 2 * P", "a damping beyond the pole passes"),
        ],
        f"{AWKWARD}::test_limited_memory_of_chapter_3_needs_a_memory": [
            ("check_hyper", "1 if isinstance(hyper, HyperL) else 0", "0", "K-BFGS(L) without a memory passes"),
        ],
    },
    "reference.kbfgs_l_exact": {
        f"{STEPS}[four positions-kbfgs_l_exact]": [
            ("R10.1", "each(second_moment, nets", "each(lambda a: second_moment(a) / a.shape[1], nets",
             "a mean over positions for their sum at the start"),
            ("R10.1", "damped(A, lam_A)", "damped(A, lam_A**2)", "the damping squared in the first H_A"),
            ("R10.1", "1 / lam_G)", "1)", "H_G starts from I"),
            ("R10.1", "xp.zeros_like(layer.b)", "layer.b", "the averages start from the biases"),
            ("R10.2", "state.k + 1", "state.k", "k counted from 0"),
            ("R10.4", "batch.x) if tape", "batch.x) if not tape", "the tape's test inverted"),
            ("R10.4", "batch.y)", "batch.y_sampled)", "𝒟W from sampled targets"),
            ("R10.4", "params, 0)", "params, hyper.beta)", "a penalty that is not there"),
            ("R10.6", "H_G @ D @ H_A", "H_G @ D", "H_A is left out"),
            ("R10.7", "W - alpha * p", "W + alpha * p", "ascent"),
            ("R10.9", "params, batch", "split(params, each(lambda W, p: W + alpha * p, W, p)), batch",
             "the second pass runs at the old parameters"),
            ("R10.12", "each(second_moment, tape.a)", "each(lambda a: second_moment(a) / a.shape[1], tape.a)",
             "a mean over positions for their sum"),
            ("R10.12", "damped(A, lam_A)", "damped(A, lam_A**2)", "the damping squared"),
            ("R10.14", "h_p - mean(h)", "mean(h) - h_p", "s_G points backward"),
            ("R10.14", "(g_p - mean(g))", "g_p", "y_G is 𝒟h⁺, not its change"),
            ("R10.15", "mu2=mu2", "mu2=mu1", "μ₁ for μ₂"),
            ("R10.16", "s_t, y_t)", "s_t, y_G)", "ỹ is not used"),
        ],
    },
    "reference.kfac": {
        f"{DIGITS}[dense-kfac]": [
            ("R12.1", "xp.sqrt(xp.const(hyper.lam))", "xp.const(hyper.lam)", "λ for √λ"),
            ("R12.2", "each(xp.zeros_like, joined(params))", "joined(params)", "𝒟Ŵ starts from W̄"),
            ("R12.2", "over_data(data, factors)", "factors(data if isinstance(data, nets.Batch) else data[0])",
             "a warm start from the first batch alone"),
            ("init", "xp.sqrt(xp.const(hyper.lam))", "xp.const(hyper.lam)", "λ for √λ at the start"),
            ("R12.3", "state.k + 1", "state.k", "k counted from 0"),
            ("R12.5", "batch.x) if tape", "batch.x) if not tape", "the tape's test inverted"),
            ("R12.5", "batch.y)", "batch.y_sampled)", "𝒟W from sampled targets"),
            ("R12.5", "params, 0)", "params, hyper.gamma)", "the decay goes through the momentum, as a penalty does"),
            ("R12.7", "beta * D_h + D", "beta * D_h + (1 - beta) * D", "an average for the momentum"),
            ("R12.8", "H_Gamma @ D_h @ H_Omega", "H_Gamma @ D_h", "H_Ω is left out"),
            ("R12.8", "state.H_Gamma, DW_h, state.H_Omega", "state.H_Gamma, DW, state.H_Omega", "the momentum is not used"),
            ("R12.9", "hyper.gamma)", "0)", "the decay is forgotten"),
            ("R12.9", "descend(W, p,", "descend(W, -p,", "ascent"),
            ("R12.12", "fisher_gradients(model, params, tape, batch, hyper)", "of_layers(params, g)",
             "the empirical Fisher matrix"),
            ("R12.14", "(1 - beta) * second_moment(a)", "second_moment(a)", "Ω without the factor 1 − β"),
            ("R12.14", "(1 - beta) * position_mean(g)", "position_mean(g)", "Γ without the factor 1 − β"),
            ("R12.17", "k % hyper.T_2 == 0", "k % hyper.T_1 == 0", "T₁ for T₂"),
            ("R12.19", "each(balance, Omega, Gamma)", "each(balance, Gamma, Omega)", "π upside down"),
            ("R12.19", "pi * root", "root", "√λ without π added to Ω"),
            ("R12.19", "root / pi", "root", "√λ without π added to Γ"),
            ("R12.19", "xp.sqrt(of_Omega / of_Gamma)", "of_Omega / of_Gamma", "π² for π"),
            ("balance", "xp.trace(Omega) * Gamma.shape[0]", "xp.trace(Omega)", "a trace for a mean eigenvalue"),
        ],
        f"{PERIODS}[both in every second step-kfac]": [
            ("R12.11", "k % hyper.T_1 == 0", "(k - 1) % hyper.T_1 == 0",
             "the factors are renewed in the first step of each period"),
        ],
        f"{DIGITS}[stride, to the end-kfac]": [
            ("position_mean", "second_moment(g) / g.shape[1]", "second_moment(g)", "Γ sums over positions"),
        ],
        f"{DIGITS}[dense-kfac_ef]": [
            ("fisher_gradients", '== "empirical"', '== "sampled"', "the two Fisher matrices exchanged"),
        ],
        f"{DIGITS}[normalised vectors-kfac]": [
            ("R12.5", "stacked_gradient(g, tape.a, params)", "tuple(D[::-1] for D in stacked_gradient(g, tape.a, params))",
             "𝒟γ and 𝒟β exchanged"),
            ("R§3.7.2", "beta * D_h + D,", "beta * D_h + (1 - beta) * D,", "an average for the momentum of (γ; β)"),
            ("R§3.7.2", "stacked(params), D_norm_h)", "stacked(params), D_norm)", "(γ; β) move without momentum"),
        ],
        f"{AWKWARD}::test_without_derivatives_pi_is_one[kfac]": [
            ("balance", "of_Gamma > xp.smallest", "of_Gamma >= 0", "π = ∞ where Γ = 0"),
        ],
        f"{AWKWARD}::test_pi_is_a_number_wherever_its_quotient_is_none": [
            ("balance", "of_Omega * xp.smallest <= of_Gamma", "True", "the quotient overflows where its root is a number"),
            ("balance", "of_Gamma * xp.smallest <= of_Omega", "True", "the quotient underflows where its root is a number"),
        ],
        f"{AWKWARD}::test_pi_is_exact_where_the_separate_roots_are_not_rational": [
            ("balance", "if not (of_Omega", "if True or not (of_Omega", "two roots for one"),
        ],
    },
    "reference.parts.quasi_newton": {
        ACTION: [
            ("R(3.14)", "s = H @ mean(a)", "s = H @ a[0, 0]", "the first position of the first example for the mean"),
            ("R(3.15)", "/ a.shape[0]", "/ rows.shape[0]", "a mean over positions for their sum"),
            ("R(3.15)", " + lam * s", "", "A without its damping"),
            ("R(3.15)", "rows.T @ (rows @ s)", "rows.T @ (rows @ mean(a))", "A acts on â, not on s"),
        ],
    },
    "reference.parts.lbfgs": {
        FULL_MEMORY: [
            ("R§2.3", "h * (Y.T @ Y)", "Y.T @ Y", "h = 1 in the middle"),
            ("R§2.3", "h * inner[m:]", "inner[m:]", "h = 1 before YᵀX"),
            ("R§2.3", "-h * RSX", "-RSX", "h = 1 before Y R⁻¹SᵀX"),
            ("R§2.3", "return h * X + both", "return X + both", "H starts from I"),
            ("product", "        return h * X\n", "        return X\n", "without pairs H is I"),
            ("updated", "Memory(S, Y, H.p, H.h)", "Memory(S, Y, H.p)", "the start hI is lost with the first pair"),
        ],
    },
    "reference.parts.kronecker": {
        f"{STEPS}[four positions-kbfgs]": [
            ("join", "xp.reshape(layer.W, (layer.W.shape[0], -1))", "xp.reshape(layer.W, (-1, layer.W.shape[0])).T",
             "a kernel as a matrix by columns"),
            ("split_damping", "xp.sqrt(xp.const(P))", "xp.const(P)", "P for √P"),
            ("split_damping", "root / root_P", "root * root_P", "λ_G = λ_A"),
            ("split_damping", "root = xp.sqrt(xp.const(lam))", "root = xp.const(lam)", "λ for √λ"),
            ("mean", "/ rows.shape[0]", "/ x.shape[0]", "a sum over positions for the mean"),
            ("second_moment", "/ x.shape[0]", "/ rows.shape[0]", "a mean over positions for the sum"),
            ("means", "each(mean, of_layers(params, tape.h))", "each(lambda h: h[0, 0], of_layers(params, tape.h))",
             "h⁺ of the first position of the first example"),
            ("means", "each(mean, of_layers(params, g))", "each(lambda g: mean(g) * g.shape[1], of_layers(params, g))",
             "𝒟h⁺ summed over positions"),
        ],
        NORMALISED: [
            ("of_layers", "isinstance(layer, nets.Layer)", "True", "BatchNorms go with the layers"),
            ("of_norms", "isinstance(layer, nets.Norm)", "True", "layers go with the BatchNorms"),
            ("stack", "[norm.gamma[None, :], norm.beta[None, :]]", "[norm.beta[None, :], norm.gamma[None, :]]",
             "β above γ"),
            ("split", "nets.Norm(*next(norm))", "nets.Norm(*next(norm)[::-1])", "γ and β exchanged on the way back"),
            ("stacked_gradient", "of_norms(params, g), of_norms(params, a)", "of_norms(params, g), of_norms(params, g)",
             "𝒟γ from the slopes alone"),
        ],
        f"{AWKWARD}::test_a_gradient_of_batch_normalisation_that_is_not_finite_is_refused[kbfgs]": [
            ("stacked_gradient", 'finite("D_norm", each(lambda g, x_h: stack(nets.norm_gradient(g, x_h)), '
             'of_norms(params, g), of_norms(params, a)))',
             'each(lambda g, x_h: stack(nets.norm_gradient(g, x_h)), of_norms(params, g), of_norms(params, a))',
             "an infinite gradient of (γ; β) goes on"),
        ],
    },
}
