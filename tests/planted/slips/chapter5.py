"""Slips in the methods of chapter 5, and in what they share."""

JACOBIANS = "chapter5/test_chapter5_jacobians.py"
PRINTED = f"{JACOBIANS}::test_printed_algorithms_against_the_explicit_jacobian[two layers]"
BATCHED = f"{JACOBIANS}::test_batched_products_against_the_explicit_jacobian"
ROWS = f"{JACOBIANS}::test_factored_rows_against_the_explicit_jacobian"
METHODS = "chapter5/test_chapter5_methods.py"
STEPS = f"{METHODS}::test_two_steps_over_the_rationals"
DAMPING = "chapter5/test_chapter5_damping.py"
CURVATURE = "chapter5/test_chapter5_curvature.py"

STEP_OF_BOTH = [
    ("R23.2", "state.k + 1", "state.k", "k counted from 0"),
    ("R§5.2.3", " + xp.const(hyper.tau)", "", "λ without τ"),
    ("R§5.4.1", "batch.x) if tape is None", "2 * batch.x) if tape is None", "inputs scaled"),
    ("R23.3", "S_2 = examples(model, params, tape, batch)", "S_2 = examples(model, params, tape, batch._replace(curvature=None))",
     "curvature from all of S₁"),
    ("R23.4", "batch.y)", "batch.y_sampled)", "g from drawn targets"),
    ("R(5.5)", "tape, batch, p, hyper.eta", "tape, batch, each(lambda p: alpha * p, p), hyper.eta", "ρ at θ + αp"),
    ("R(5.5)", "- pBp / 2", "- pBp", "the quadratic term without its half"),
    ("R(5.5)", "-inner(grad, p)", "inner(grad, p)", "the linear term with the wrong sign"),
    ("R(5.5)", "reduction_ratio(f, f_p, foretold)", "reduction_ratio(f_p, f, foretold)", "ρ of the growth"),
    ("R23.6", "boost=hyper.boost, drop=hyper.drop", "boost=hyper.drop, drop=hyper.boost", "boost and drop exchanged"),
    ("R23.7", "W + alpha * p", "W - alpha * p", "the step goes up"),
    ("R23.7", "W + alpha * p", "W + p", "the learning rate is left out"),
]

SLIPS = {
    "nets.single": {
        PRINTED: [
            ("R19.3", "layer[0]", "-layer[0]", "the weights with the wrong sign"),
            ("R19.5", "xp.zeros_like(v[0])", "v[0]", "the input moves with itself"),
            ("R19.6", "range(len(W))", "range(1, len(W))", "the first layer is left out"),
            ("R19.7", "W_1[l] @ v[l]", "W_1[l] @ v_1", "W₁ v₁ as printed (ERR-56)"),
            ("R19.7", " + b_1[l]", "", "the direction of the bias is left out"),
            ("R19.8", ".d_phi(h[l]) * h_1", ".phi(h[l]) * h_1", "φ for φ′"),
            ("R19.10", "return v_1", "return h_1 * 2", "h₁ twice"),
            ("R20.3", "layer[0]", "2 * layer[0]", "the weights twice"),
            ("R20.4", "v_h = x", "v_h = -x", "x with the wrong sign"),
            ("R20.5", "reversed(range(len(W)))", "range(len(W))[-1:]", "the last layer only"),
            ("R20.6", ".d_phi(h[l]) * v_h", ".phi(h[l]) * v_h", "φ for φ′"),
            ("R20.7", "W[l].T @ h_h[l]", "h_h[l] @ abs(W[l])", "|W| for W"),
            ("R20.8", "h_h[l][:, None] * v[l][None, :]", "h_h[l][:, None] * abs(v[l])[None, :]", "|v| for v"),
            ("R20.9", "1 * h_h[l]", "0 * h_h[l]", "no biases"),
            ("R20.11", "zip(W_h, b_h", "zip(W_h[::-1], b_h", "the layers of W reversed"),
            ("R21.1", "v_h = V", "v_h = 2 * V", "V twice"),
            ("R21.2", "reversed(range(L))", "range(L)[-1:]", "the last layer only"),
            ("R21.3", ".d_phi(h[l]) * v_h", ".d_phi(h[l])", "V is lost"),
            ("R21.4", "theta[l][0].T @ h_h", "h_h @ abs(theta[l][0])", "|W| for W"),
            ("R21.5", "v[l][None, :]", "v[l - 1][None, :v[l].shape[0]]", "the activation of another layer"),
            ("R21.6", "b_h[l] = h_h", "b_h[l] = v_h[:h_h.shape[0]]", "v̂ for ĥ"),
            ("transposed_product", "zip(W_h, b_h", "zip(W_h[::-1], b_h", "the layers of W reversed"),
            ("R22.3", "range(len(h))", "range(len(h))[::-1]", "the examples in another order"),
            ("R22.4", "for e_j in e", "for e_j in e[::-1]", "the outputs in another order"),
            ("R22.5", "h[i], e_j", "h[0], e_j", "the first example's pass"),
            ("R22.9", "range(len(theta))", "range(1, len(theta))", "the first layer is left out"),
            ("R22.10", "range(len(h))", "range(len(h))[::-1]", "the examples in another order"),
            ("R22.11", "xp.ones(1)", "xp.zeros(1)", "the biases are left out"),
            ("R22.12", "h_h_ij[l][:, None] for", "h_h_ij[0][:, None] for", "ĥ of the first layer"),
            ("R22.14", "xp.concat(v_t, axis=1)", "xp.concat(v_t[::-1], axis=1)", "the inputs of the examples reversed"),
            ("R22.15", "xp.concat(H_h, axis=1)", "xp.concat(H_h[::-1], axis=1)", "the ĥ of the examples reversed"),
            ("R22.16", "xp.kron(v_l.T @ v_l, xp.ones(e.shape))", "xp.kron(xp.ones(e.shape), v_l.T @ v_l)", "the order of ⊗"),
            ("R22.16", "(H_l.T @ H_l)", "(H_l.T @ H_l) ** 2", "squared entries"),
            ("R22.18", "sum(B[1:], B[0])", "B[0]", "one layer for the sum"),
        ],
    },
    "nets.rules": {
        f"{BATCHED}[two layers]": [
            ("_dense_tangent", "h_1 = affine(layer_1, a)", "h_1 = affine(layer, a)", "W for W₁"),
            ("R(5.11)", "h_1 + z_1 @ _kernel(layer).T", "h_1 - z_1 @ _kernel(layer).T", "the wrong sign of what comes in"),
            ("R(5.11)", ".d_phi(z) * z_1", ".phi(z) * z_1", "φ for φ′"),
        ],
        f"{BATCHED}[average pooling]": [
            ("_conv_tangent", "affine(layer_1, a) ", "affine(layer, a) ", "W for W₁ in a convolution"),
            ("_conv_tangent", "h_1 + namespace(a_1)", "h_1 - namespace(a_1)", "the wrong sign in a convolution"),
            ("_avg_pool_tangent", "avg_pool(z_1,", "2 * avg_pool(z_1,", "twice the mean"),
        ],
        f"{ROWS}[two layers-None]": [
            ("_act_back", " * d_phi(z)[:, None]", "", "the slopes are left out"),
        ],
        f"{ROWS}[strides and overlapping maxima-None]": [
            ("_max_pool_back", "concat([x[:, None]] * rows, axis=1)", "concat([x[None]] * rows)",
             "the maxima of another example"),
        ],
    },
    "nets.windows": {
        f"{BATCHED}[strides and overlapping maxima]": [
            ("max_pool_tangent", "z[:, *at] > before", "z[:, *at] < before", "the smallest entry's derivative"),
        ],
    },
    "nets.losses": {
        f"{CURVATURE}::test_the_factor_is_one_of_the_hessian": [
            ("_categorical_factor", "root[:, None, :]", "a[:, None, :]", "a aᵀ for a √aᵀ"),
            ("_bernoulli_variance", " * namespace(output).logistic(-output)", "", "σ for σ(1 − σ) (ERR-2)"),
        ],
    },
    "nets.jacobian": {
        f"{BATCHED}[two layers]": [
            ("R§5.4.4", "zip(params, theta_1", "zip(theta_1, params", "W and W₁ exchanged"),
            ("transposed_product", "namespace(V).ones(V.shape[0])",
             "namespace(V).ones(V.shape[0]) / V.shape[0]", "a mean for the sum"),
        ],
        f"{BATCHED}[residual]": [
            ("_through", "sum(met[1:], met[0])", "met[0]", "one branch for the sum"),
        ],
        f"{ROWS}[two layers-None]": [
            ("R§5.4.7", "xp.eye(m)[None]", "-xp.eye(m)[None] / 2", "−e_j/2"),
            ("R§5.4.7", "(v @ v.T)[:, None, :, None]", "(v[::-1] @ v.T)[:, None, :, None]",
             "the inputs of other examples"),
            ("R§5.4.5", "xp.reshape(x, (-1, m))", "xp.reshape(2 * x, (-1, m))", "x twice"),
            ("R§5.4.5", "summed.T @ xp.reshape(a", "summed.T @ xp.reshape(abs(a)", "|ā| for ā"),
            ("R§5.4.6", "* h_1, axis=-1", "* abs(h_1), axis=-1", "|h₁| for h₁"),
            ("R§5.4.3", "(0, 2, 1)", "(0, 1, 2)", "rows for columns in vec"),
            ("squared_rows", "h_h[:, 0] ** 2", "h_h[:, 0]", "no square"),
        ],
        f"{ROWS}[average pooling-2]": [
            ("_gram", "if a.shape[1] > 1:", "if a.shape[1] > 99:", "one position for the sum over them"),
        ],
    },
    "reference.subsampled": {
        f"{STEPS}[smw_gn-two layers-plain]": [
            *STEP_OF_BOTH,
            ("init", "const(hyper.lam_LM)", "const(hyper.tau)", "λ starts from τ"),
            ("R23.3", "S_2.tape.output.shape[0]", "tape.output.shape[0]", "N₁ for N₂"),
            ("R§5.3.1", "S_2, hyper.B)", 'S_2, "empirical_fisher")', "always the Fisher matrix"),
            ("R(5.6)", "damped(JJ / N2, lam)", "damped(JJ, lam)", "D without 1/N₂"),
            ("R(5.6)", "over(blocks, products(J, grad))", "over(blocks, products(J, each(abs, grad)))", "|g|"),
            ("R(5.6)", "xp.solve, D, Jg", "lambda D, Jg: Jg, D, Jg", "D is not inverted"),
            ("R23.5", "(Jd / N2 - g) / lam", "Jd / N2 - g", "not divided by λ"),
            ("R23.5", "Jd / N2 - g", "g - Jd / N2", "an ascent"),
            ("R(5.5)", "/ N2 + lm", "+ lm", "pᵀBp without 1/N₂"),
        ],
        f"{STEPS}[smw_ng_bd-two layers-plain]": [
            ("R§5.8", 'hyper.blocks == "whole"', 'hyper.blocks != "layers" or True', "one block always"),
            ("step", "d_l = [d[block] for", "d_l = [d[0] for", "the first block's d for all"),
        ],
        f"{STEPS}[smw_gn-two layers-penalty]": [
            ("R23.4", "tape.a, params, hyper.eta", "tape.a, params, 0", "the gradient without the penalty"),
            ("R§5.2.3", " + xp.const(hyper.eta)", "", "the Hessian of the penalty is left out"),
            ("R(5.5)", " + lm.penalty(p, hyper.eta)", "", "pᵀBp without the penalty"),
        ],
        f"{DAMPING}::test_a_refused_step_leaves_the_parameters_and_boosts": [
            ("R§5.6", "bool(rho >= xp.const(hyper.accept))", "True", "every step is taken"),
        ],
    },
    "reference.hessian_free": {
        f"{STEPS}[hessian_free-two layers-plain]": [
            *STEP_OF_BOTH,
            ("init", "const(hyper.lam_LM)", "const(hyper.tau)", "λ starts from τ"),
            ("R23.5", "BX + lam * X", "BX", "no damping"),
            ("R23.5", "lambda D: -D, grad", "lambda D: D, grad", "an ascent"),
            ("R(5.5)", "inner(p, B(p))", "inner(p, p)", "I for B"),
        ],
        f"{STEPS}[hessian_free-two layers-penalty]": [
            ("R23.4", "tape.a, params, hyper.eta", "tape.a, params, 0", "the gradient without the penalty"),
            ("R(5.2)", "BX + eta * X", "BX", "the Hessian of the penalty is left out"),
        ],
        f"{STEPS}[hessian_free-two layers-accept]": [
            ("R§5.6", "rho >= xp.const(hyper.accept)", "rho <= xp.const(hyper.accept)", "the steps that should be refused"),
        ],
        f"{METHODS}::test_the_preconditioner_is_martens_and_changes_the_way_only": [
            ("step", "xp.sqrt(v + lam)", "xp.sqrt(v)", "no damping in the preconditioner"),
            ("step", "root * xp.sqrt(root)", "root", "exponent 1/2 for 3/4"),
        ],
    },
    "reference.parts.curvature": {
        f"{CURVATURE}::test_matrices_are_the_definitions": [
            ("R(5.2)", "(0, 2, 1)", "(0, 1, 2)", "the rows of C for its columns"),
            ("R(5.3)", "output, y)", "2 * output, y)", "the gradient elsewhere"),
            ("directions", "y = S_2.y_sampled", "y = S_2.y", "the data's own targets"),
            ("ggn", "forward(model, params, x)", "forward(model, params, 2 * x)", "other examples"),
            ("empirical_fisher", "x), y, None", "x), 0 * y, None", "other targets"),
            ("_matrix", "E.T @ E / S_2.tape.output.shape[0]", "E.T @ E", "a sum for the mean"),
        ],
        f"{CURVATURE}::test_the_hessian_of_a_polynomial_net_exactly": [
            ("R(1.4)", "order, 0), order, 1)", "order, 0), sorted(order), 1)", "rows in the order of θ, columns in another"),
            ("hessian", "namespace(tensor).ones(tensor.shape)", "tensor", "along θ, entry by entry"),
            ("_columns_first", "i * d_in + j", "i + j * d_out", "matrices row by row"),
        ],
        f"{CURVATURE}::test_fisher_by_enumeration_is_gauss_newton": [
            ("R(1.7)", "likely[:, None] * E", "E", "all targets equally likely"),
            ("fisher", "(1 - p[:, j])", "p[:, j]", "p for 1 − p"),
        ],
        f"{CURVATURE}::test_products_are_those_of_the_matrices": [
            ("ggn_product", "/ tape.output.shape[0]", "", "a sum for the mean"),
            ("ggn_product", "output_hessian(model, tape.output)", "output_factor(model, tape.output)", "C for H"),
            ("fisher_product", "Y / N", "Y", "a sum for the mean"),
        ],
        f"{METHODS}::test_a_batch_of_its_own_may_give_the_curvature": [
            ("examples", "S_2.x), S_2._replace", "S_2.x), batch._replace", "the targets of S₁"),
        ],
    },
    "reference.parts.levenberg_marquardt": {
        f"{STEPS}[smw_gn-two layers-penalty]": [
            ("here_and_ahead", "f + penalty(theta, eta) / 2", "f", "f(θ) without the penalty"),
            ("R(5.5)", "for output in (tape.output, ahead)", "for output in (ahead, tape.output)", "before and after exchanged"),
            ("R(5.5)", "split(params, theta_p)", "params", "f(θ) for f(θ + p)"),
        ],
        f"{DAMPING}::test_lambda_follows_rho": [
            ("R§5.2.3", "rho > 1 - eps", "rho > eps", "ρ > ε for ρ > 1 − ε"),
            ("R§5.2.3", "rho < eps", "rho <= eps", "ρ = ε boosts"),
            ("R§5.2.3", "xp.const(factor) * lam_LM", "lam_LM / xp.const(factor)", "boost and drop exchanged"),
        ],
        f"{DAMPING}::test_ratio_and_what_has_none": [
            ("R(5.5)", "(f - f_p) / foretold", "foretold / (f - f_p)", "1/ρ"),
            ("reduction_ratio", "if not foretold > 0:", "if foretold > 99:", "0/0"),
            ("reduction_ratio", "xp.all_finite(f_p) and", "", "nan changes nothing"),
        ],
    },
    "reference.parts.conjugate_gradient": {
        f"{METHODS}::test_conjugate_gradients_end_after_rank_steps[6-2]": [
            ("R§5.3", "ry / dGd", "ry / inner(d, d)", "G is left out of the step length"),
            ("R§5.3", "plus(x, alpha, d), plus(r, -alpha, Gd)", "plus(x, alpha, d), plus(r, alpha, Gd)", "the residual grows"),
            ("R§5.3", "inner(r, y) / ry, inner(r, y)", "ry / inner(r, y) if inner(r, y) > 0 else 0, inner(r, y)", "β upside down"),
            ("R§5.3", "plus(y, beta, d)", "plus(y, -beta, d)", "the wrong sign of β"),
            ("conjugate_gradient", "if not ry > 0:", "if not ry > 99:", "it ends too early"),
        ],
        f"{METHODS}::test_conjugate_gradients_may_go_on_after_convergence": [
            ("conjugate_gradient", "if not dGd > 0:", "if not dGd >= 0:", "0/0 once d has faded"),
        ],
        f"{METHODS}::test_preconditioned_steps_are_those_of_the_scaled_system": [
            ("preconditioned", "r / M, r, M", "r * M, r, M", "M for its inverse"),
        ],
        f"{METHODS}::test_conjugate_gradients_end_early_by_martens_rule": [
            ("conjugate_gradient", "phi[-1 - k]", "phi[-2]", "the progress of one step"),
            ("conjugate_gradient", "-inner(x, b) / 2", "-inner(x, r) / 2", "φ from the residual"),
        ],
    },
}
