"""Other ways to write a method: published conventions, which are named and accepted, and slips, which are named as causes."""

from __future__ import annotations

from .replay import Convention


def _slip(function: str, text: str, **rewrites: str) -> Convention:
    return Convention(text, {f"{function}.{name}": code for name, code in rewrites.items()}, legitimate=False)


def _interpolation(function: str, name: str, theta: str, near: str, far: str) -> tuple[Convention, ...]:
    """What goes wrong in `name = θ near + (1 − θ) far`."""
    return (_slip(function, f"{name}: the interpolation has the wrong sign", **{name: f"{theta} * {near} - (1 - {theta}) * {far}"}),
            _slip(function, f"{name}: the two weights are exchanged", **{name: f"(1 - {theta}) * {near} + {theta} * {far}"}),
            _slip(function, f"{name}: no damping", **{name: f"{near}"}))


_ALGORITHM_9 = (
    Convention("momentum is an exponential moving average, 𝒟Ŵ = β𝒟Ŵ + (1 − β)𝒟W̃ (R Algorithm 4)",
               {"DW_h": "each(lambda D_h, D: beta * D_h + (1 - beta) * D, state.DW_h, DW)"}),
    Convention("the damping is split evenly, λ_A = λ_G = √λ in every layer (R Algorithm 4)",
               dict.fromkeys(("lam_A, lam_G", "init.lam_A, lam_G"),
                             "(tuple(xp.sqrt(xp.const(hyper.lam)) for _ in of_layers(params, params)),) * 2")),
    Convention("the curvature is updated in steps 1, T + 1, 2T + 1, …", {"due": "(k - 1) % hyper.T == 0"}),
    Convention("without improvement #1: double damping (R Algorithm 3)",
               {"s_t, y_t": "both(lambda s, y, H, mu2: double_damping.trusted(s, y, H, mu1=mu1, mu2=mu2), "
                            "s_G, y_G, H_G, lam_G)"}),
    Convention("batch normalisation follows its gradient, without momentum",
               {"norm": "each(lambda norm, D: norm - alpha / xp.const(hyper.lam) * D, stacked(params), D_norm)"}),
    Convention("batch normalisation has the rate α, as in R's K-FAC (R Section 3.7.2)",
               {"norm": "each(lambda norm, D_h: norm - alpha * D_h, stacked(params), D_norm_h)"}),
    Convention("no momentum: the direction is taken from 𝒟W̃ itself (R Algorithm 10)",
               {"p": "each(lambda H_G, D, H_A: H_G @ D @ H_A, state.H_G, DW, state.H_A)"}),
    Convention("A is averaged over positions, where (3.9) adds them up", legitimate=False,
               rewrites={"s_A, y_A": "both(lambda H, a, lam: hessian_action_pair.trusted("
                                     "H, mean(a), damped(second_moment(a) / a.shape[1], lam)), H_A, a, lam_A)"}),
    Convention("the pair of G is added up over positions, where (3.12) and (3.13) average", legitimate=False,
               rewrites={"s_G": "each(lambda s, h_p, h: beta * s + (1 - beta) * h.shape[1] * (h_p - mean(h)), s_G, after.h, h)",
                         "y_G": "each(lambda y, g_p, g: beta * y + (1 - beta) * g.shape[1] * (g_p - mean(g)), "
                                "y_G, after.g, g)"}),
    Convention("𝒟W̃ is averaged over positions, where Theorem 3 adds them up", legitimate=False,
               rewrites={"DW": "each(lambda D, g: D / g.shape[1], joined_gradient(g, tape.a, params, 0), of_layers(params, g))"}),
    Convention("H_G is updated by the undamped pair", {"H_G": "each(lbfgs.updated, H_G, s_G, y_G)"}, legitimate=False),
    Convention("s and y of line 19 are not averaged over steps", legitimate=False,
               rewrites={"s_G": "each(lambda h_p, h: h_p - mean(h), after.h, h)",
                         "y_G": "each(lambda g_p, g: g_p - mean(g), after.g, g)"}),
    Convention("y_A leaves out the Levenberg-Marquardt term", legitimate=False,
               rewrites={"s_A, y_A": "both(lambda H, a: hessian_action_pair.trusted(H, mean(a), second_moment(a)), H_A, a)"}),
    Convention("𝒟W̃ is summed over the mini-batch where it should be averaged", legitimate=False,
               rewrites={"DW": "each(lambda D: batch.x.shape[0] * D, joined_gradient(g, tape.a, params, 0))"}),
)

_OMEGA, _GAMMA = (f"each(lambda {name}, x: beta * {name} + (1 - beta) * {mean}(x), state.{name}, {rows}) "
                  f"if k % hyper.T_1 == 0 else state.{name}"
                  for name, mean, rows in (("Omega", "second_moment", "of_layers(params, tape.a)"),
                                           ("Gamma", "position_mean", "fisher_gradients(model, params, tape, batch, hyper)")))
"""What lines 14 make of Ω and Γ in this step, for those who need it before."""

_ALGORITHM_12 = (
    Convention("momentum is an exponential moving average, 𝒟Ŵ = β𝒟Ŵ + (1 − β)𝒟W̃ (R Algorithm 7)",
               {"DW_h": "each(lambda D_h, D: beta * D_h + (1 - beta) * D, state.DW_h, DW)"}),
    Convention("π = 1: the damping is split evenly (R Algorithm 7)", {"pi": "each(lambda Omega: xp.const(1), Omega)"}),
    Convention("trace Γ/d_Γ counts as 1e-3 where it is less (the authors' code), and so π is finite where Γ = 0",
               {"pi": "each(lambda Omega, Gamma: xp.sqrt(xp.trace(Omega) / Omega.shape[0] / xp.maximum("
                      "xp.trace(Gamma) / Gamma.shape[0], xp.const(Fraction(1, 1000)))), Omega, Gamma)"}),
    Convention("H_Ω = I/√λ where Γ = 0, so that H_Ω ⊗ H_Γ is the limit I/λ",
               {"H_Omega": "each(lambda Omega, Gamma, pi: xp.inv(damped(Omega if xp.trace(Gamma) > xp.smallest else 0 * Omega, "
                           "pi * root)), Omega, Gamma, pi)"}),
    Convention("the inverses of the first steps are identities", start={"H_Omega": "eye", "H_Gamma": "eye"}),
    Convention("the direction is taken with the inverses of this step, not of the step before",
               {"p": f"each(lambda Omega, Gamma, D_h: xp.inv(damped(Gamma, root / balance(Omega, Gamma))) @ D_h @ "
                     f"xp.inv(damped(Omega, balance(Omega, Gamma) * root)), {_OMEGA}, {_GAMMA}, DW_h) if k % hyper.T_2 == 0 else "
                     "each(lambda H_Gamma, D_h, H_Omega: H_Gamma @ D_h @ H_Omega, state.H_Gamma, DW_h, state.H_Omega)"}),
    Convention("Ω is averaged over positions and Γ added up, which leaves their Kronecker product as it is (K-FAC-expand)",
               {"init.both": "(lambda P, both: (*each(lambda Omega, P: Omega / P, both[:len(P)], P), "
                             "*each(lambda Gamma, P: P * Gamma, both[len(P):], P)))"
                             "(of_layers(params, nets.positions(model)), over_data(data, factors))",
                "Omega": "each(lambda Omega, a: beta * Omega + (1 - beta) * position_mean(a), Omega, of_layers(params, tape.a))",
                "Gamma": "each(lambda Gamma, g: beta * Gamma + (1 - beta) * second_moment(g), Gamma, g_F)"}),
    Convention("statistics are taken in steps 1, T_1 + 1, 2T_1 + 1, …", {"due_1": "(k - 1) % hyper.T_1 == 0"}),
    Convention("inverses are taken in steps 1, T_2 + 1, 2T_2 + 1, …", {"due_2": "(k - 1) % hyper.T_2 == 0"}),
    Convention("batch normalisation follows its gradient, without momentum",
               {"norm": "each(lambda norm, D: norm - alpha * D, stacked(params), D_norm)"}),
    Convention("π = √(trace Ω/d_Ω ÷ trace Γ ÷ d_Γ): a bracket is missing around trace Γ/d_Γ", legitimate=False,
               rewrites={"pi": "each(lambda Omega, Gamma: balance(Omega, Gamma) / Gamma.shape[0], Omega, Gamma)"}),
    Convention("the inverses are never taken again", {"due_2": "False"}, legitimate=False),
    Convention("Ω and Γ are taken at the new parameters", legitimate=False, rewrites={
        "Omega": "each(lambda Omega, a: beta * Omega + (1 - beta) * second_moment(a), Omega, "
                 "of_layers(params, nets.forward(model, split(params, W, norm), batch.x).a))",
        "g_F": "fisher_gradients(model, split(params, W, norm), nets.forward(model, split(params, W, norm), batch.x), "
               "batch, hyper)"}),
    Convention("π = √(trace Ω ÷ trace Γ): the sizes are left out", legitimate=False,
               rewrites={"pi": "each(lambda Omega, Gamma: balance(Omega, Gamma) * "
                               "xp.sqrt(xp.const(Omega.shape[0]) / xp.const(Gamma.shape[0])), Omega, Gamma)"}),
    Convention("π is inverted: Ω gets √λ/π and Γ gets π√λ", legitimate=False,
               rewrites={"pi": "each(lambda Omega, Gamma: 1 / balance(Omega, Gamma), Omega, Gamma)"}),
    Convention("λ is added to Ω and to Γ where √λ should be", legitimate=False,
               rewrites={"init.root": "xp.const(hyper.lam)", "beta, root": "xp.const(hyper.beta), xp.const(hyper.lam)"}),
    Convention("Γ is added up over positions, where it should be averaged", legitimate=False,
               rewrites={"Gamma": "each(lambda Gamma, g: beta * Gamma + (1 - beta) * second_moment(g), Gamma, g_F)"}),
    Convention("Ω is averaged over positions, where it should be added up", legitimate=False,
               rewrites={"Omega": "each(lambda Omega, a: beta * Omega + (1 - beta) * position_mean(a), Omega, "
                                  "of_layers(params, tape.a))"}),
    Convention("Γ is N² times too small: 𝒟h is the gradient of the mean loss", legitimate=False,
               rewrites={"Gamma": "each(lambda Gamma, g: beta * Gamma + (1 - beta) * position_mean(g / g.shape[0]), Gamma, g_F)"}),
    Convention("Γ is N times too small: 𝒟h is divided by N and 𝒟h 𝒟hᵀ summed over examples", legitimate=False,
               rewrites={"Gamma": "each(lambda Gamma, g: beta * Gamma + (1 - beta) * position_mean(g) / g.shape[0], Gamma, g_F)"}),
    Convention("Γ is 𝒟h 𝒟hᵀ of the mean 𝒟h, not the mean of 𝒟h 𝒟hᵀ", legitimate=False,
               rewrites={"Gamma": "each(lambda Gamma, g: beta * Gamma + (1 - beta) * "
                                  "position_mean((xp.sum(xp.sum(g, axis=0), axis=0) / (g.shape[0] * g.shape[1]))"
                                  "[None, None, :]), Gamma, g_F)"}),
    Convention("𝒟W̃ is summed over the mini-batch where it should be averaged", legitimate=False,
               rewrites={"DW": "each(lambda D: batch.x.shape[0] * D, joined_gradient(g, tape.a, params, 0))"}),
)
def _roots(p: str) -> str:
    """The line of Shampoo's inverse roots with another p."""
    return (f"each(lambda G: each(lambda G_i: inverse_root.trusted(damped(G_i, xp.const(hyper.eps)), {p}, hyper.tolerance), G), "
            f"G_h) if k % hyper.T_2 == 0 else state.root_inv")

_ALGORITHM_15 = (
    Convention("momentum is an exponential moving average, (1 − μ)∇𝓛 in place of ∇𝓛 (R Section 2.5.2)",
               {"grad_h": "each(lambda D_h, D: mu * D_h + (1 - mu) * D, state.grad_h, grad)"}),
    Convention("no momentum: the direction is taken from ∇𝓛 itself (R Algorithm 13)",
               {"p": "preconditioned(grad, U_inv, hyper.view)"}),
    Convention("every Ũ_i has trace 1 (Dees and Mandic)",
               {"U_t": "by_mode(lambda G: G / xp.sum(G * xp.eye(G.shape[0])), G_h) if k % hyper.T_2 == 0 else ()"}),
    Convention("the first inverses are those of zero statistics: I/ε",
               {"U_inv": "inverses(U_t, eps) if U_t else state.U_inv if k >= hyper.T_2 else "
                         "by_mode(lambda U: xp.eye(U.shape[0]) / eps, state.U_inv)"}),
    Convention("Ḡ is summed over the mini-batch where it should be averaged", legitimate=False,
               rewrites={"G_b": "() if k % hyper.T_1 else tuple(batch.x.shape[0] * D for D in "
                                "averaged(model, params, tape, batch, hyper, grad))"}),
    Convention("Ĝ sums the contractions, without decay", legitimate=False,
               rewrites={"G_h": "by_mode(lambda G, new: G + new, state.G_h, contractions(G_b, hyper.view)) "
                                "if G_b else state.G_h"}),
    Convention("Ĝ is used as it is, without (4.10)", {"U_t": "G_h if k % hyper.T_2 == 0 else ()"}, legitimate=False),
    Convention("ε is added to Ĝ, before (4.10), not to Ũ", legitimate=False,
               rewrites={"U_t": "each(lambda G: identify.trusted([damped(G_i, eps) for G_i in G]).U_t, G_h) "
                                "if k % hyper.T_2 == 0 else ()",
                         "U_inv": "inverses(U_t, 0 * eps) if U_t else state.U_inv"}),
    Convention("stale inverses: the direction uses those of the step before",
               {"p": "preconditioned(grad_h, state.U_inv, hyper.view)"}, legitimate=False),
    Convention("the inverse of the last mode is left out", legitimate=False,
               rewrites={"p": "preconditioned(grad_h, tuple((*U[:-1], xp.eye(U[-1].shape[0])) for U in U_inv), hyper.view)"}),
)

_H = ("xp.reshape(xp.eye(N2)[:, None, :, None] * nets.output_hessian(model, S_2.tape.output)[:, :, None, :], "
      "(N2 * S_2.tape.output.shape[1], -1))")
"""H = diag{H_1, …, H_N₂} of R Section 5.3.1."""

_OTHER_ORDER = "xp.reshape(xp.permute_dims(xp.reshape({0}, ({1}, -1)), (1, 0)), (-1,))"

_FORETOLD = (
    Convention("ρ judges the step that is taken, θ + αp", {
        "f, f_p": "lm.here_and_ahead(model, params, theta, tape, batch, each(lambda p: alpha * p, p), hyper.eta)",
        "foretold": "-alpha * inner(grad, p) - alpha**2 * pBp / 2"}),
    Convention("the quadratic model in ρ's denominator contains the damping", legitimate=False,
               rewrites={"foretold": "-inner(grad, p) - (pBp + lam * inner(p, p)) / 2"}),
    Convention("ρ compares f on S₂, not on S₁", legitimate=False, rewrites={
        "f, f_p": "(lambda S: lm.here_and_ahead(model, params, theta, nets.forward(model, params, S.x), S, p, hyper.eta))"
                  "(batch if batch.curvature is None else batch.curvature if isinstance(batch.curvature, nets.Batch) "
                  "else nets.Batch(batch.x[batch.curvature], batch.y[batch.curvature]))"}),
    Convention("λ without τ", {"lam": "state.lam_LM + xp.const(hyper.eta)"}, legitimate=False),
    Convention("boost and drop are exchanged", legitimate=False,
               rewrites={"lam_LM": "lm.adapted.trusted(state.lam_LM, rho, eps=hyper.eps, boost=hyper.drop, drop=hyper.boost)"}),
    Convention("λ never changes", {"lam_LM": "1 * state.lam_LM"}, legitimate=False),
    Convention("the sign of ρ is wrong: f grew where it should have fallen", {"rho": "lm.reduction_ratio(f_p, f, foretold)"},
               legitimate=False),
    Convention("the curvature is taken from all of S₁, not from S₂", legitimate=False,
               rewrites={"S_2": "examples(model, params, tape, batch._replace(curvature=None))"}),
    Convention("the step ascends: p = G⁻¹g", {"W": "each(lambda W, p: W - alpha * p, theta, p)"}, legitimate=False),
    Convention("the learning rate is left out: θ + p", {"W": "each(lambda W, p: W + p, theta, p)"},
               legitimate=False),
)

_ORDER_OF_ROWS = (
    Convention("the outputs, not the examples, come first in the order of D's rows", {
        "D": "each(lambda JJ: damped(xp.reshape(xp.permute_dims(xp.reshape(JJ, (N2, -1, N2, JJ.shape[0] // N2)), (1, 0, 3, 2)), "
             "JJ.shape) / N2, lam), over(blocks, grams(J)))",
        "Jg": f"each(lambda Jg: {_OTHER_ORDER.format('Jg', 'N2')}, over(blocks, products(J, grad)))",
        "p": "each(lambda g, Jd: (Jd / N2 - g) / lam, grad, transposed_products(J, "
             f"[{_OTHER_ORDER.format('d_', 'd_.shape[0] // N2')} for d_ in d_l]))"}),
    Convention("Jg has the outputs first, D's rows the examples", legitimate=False,
               rewrites={"Jg": f"each(lambda Jg: {_OTHER_ORDER.format('Jg', 'N2')}, over(blocks, products(J, grad)))"}),
    Convention("D's rows have the outputs first, those of Jg the examples", legitimate=False, rewrites={
        "D": "each(lambda JJ: damped(xp.reshape(xp.permute_dims(xp.reshape(JJ, (N2, -1, N2, JJ.shape[0] // N2)), (1, 0, 3, 2)), "
             "JJ.shape) / N2, lam), over(blocks, grams(J)))"}),
)

_WOODBURY = (
    Convention("B is a sum over S₂ where it should be a mean: the factor 1/N₂ is left out", legitimate=False, rewrites={
        "D": "each(lambda JJ: damped(JJ, lam), over(blocks, grams(J)))",
        "p": "each(lambda g, Jd: (Jd - g) / lam, grad, transposed_products(J, d_l))"}),
    Convention("D lacks the factor 1/N₂", {"D": "each(lambda JJ: damped(JJ, lam), over(blocks, grams(J)))"}, legitimate=False),
    Convention("p lacks the factor 1/N₂", legitimate=False,
               rewrites={"p": "each(lambda g, Jd: (Jd - g) / lam, grad, transposed_products(J, d_l))"}),
    Convention("D lacks the damping (R Section 5.3.3, ERR-14)", {"D": "each(lambda JJ: JJ / N2, over(blocks, grams(J)))"},
               legitimate=False),
    Convention("D leaves out the biases (R Section 5.3.3)", legitimate=False, rewrites={
        "D": "each(lambda JJ: damped(JJ / N2, lam), over(blocks, grams(J._replace(a=each(lambda a: a[:, :, :-1], J.a)))))"}),
    Convention("p is not divided by λ", legitimate=False,
               rewrites={"p": "each(lambda g, Jd: Jd / N2 - g, grad, transposed_products(J, d_l))"}),
    *_FORETOLD,
)

CONVENTIONS: dict[str, tuple[Convention, ...]] = {
    "smw_gn": (
        Convention("D = λI + (1/N₂) JJᵀH for all losses (R (5.7))", {
            "J": "nets.jacobian.jacobian(model, params, S_2.tape)",
            "D": f"each(lambda JJ: damped(JJ @ {_H} / N2, lam), over(blocks, grams(J)))",
            "p": f"each(lambda g, Jd: (Jd / N2 - g) / lam, grad, transposed_products(J, [{_H} @ d_ for d_ in d_l]))",
            "pBp": f"sum(Jp @ ({_H} @ Jp) for Jp in over(blocks, products(J, p))) / N2 + lm.penalty(p, hyper.eta)"}),
        Convention("D = λH⁻¹ + (1/N₂) JJᵀ where H is invertible (R (5.6))", {
            "J": "rows(model, params, S_2, hyper.B) if model.loss == 'softmax_ce' else "
                 "nets.jacobian.jacobian(model, params, S_2.tape)",
            "D": f"each(lambda JJ: lam * xp.inv({_H}) + JJ / N2 if model.loss != 'softmax_ce' else damped(JJ / N2, lam), "
                 "over(blocks, grams(J)))",
            "pBp": f"sum(xp.sum(Jp * Jp) if model.loss == 'softmax_ce' else Jp @ ({_H} @ Jp) "
                   "for Jp in over(blocks, products(J, p))) / N2 + lm.penalty(p, hyper.eta)"}),
        Convention("the Hessian of the binary cross entropy is diag(σ) (R 1.2.2, ERR-2)", legitimate=False, rewrites={
            "J": "nets.jacobian.jacobian(model, params, S_2.tape, xp.sqrt(xp.logistic(S_2.tape.output))[:, :, None] "
                 "* xp.eye(S_2.tape.output.shape[1])) if model.loss == 'bce' else rows(model, params, S_2, hyper.B)"}),
        Convention("the Hessian of the softmax cross entropy is diag(a), without −aaᵀ", legitimate=False, rewrites={
            "J": "nets.jacobian.jacobian(model, params, S_2.tape, xp.sqrt(xp.softmax(S_2.tape.output))[:, :, None] "
                 "* xp.eye(S_2.tape.output.shape[1])) if model.loss == 'softmax_ce' else rows(model, params, S_2, hyper.B)"}),
        Convention("H_l is left out: classical Gauss-Newton, JᵀJ", {"J": "nets.jacobian.jacobian(model, params, S_2.tape)"},
                   legitimate=False),
        Convention("B is the empirical Fisher matrix", {"J": "rows(model, params, S_2, 'empirical_fisher')"}, legitimate=False),
        *_ORDER_OF_ROWS,
        *_WOODBURY,
    ),
    **dict.fromkeys(("smw_ng", "smw_ng_bd"), (
        Convention("B is the Fisher matrix of drawn targets (R (1.7))", {"J": "rows(model, params, S_2, 'sampled_fisher')"}),
        Convention("B is the Gauss-Newton matrix", {"J": "rows(model, params, S_2, 'gauss_newton')"}, legitimate=False),
        *_WOODBURY,
        Convention("B has a block for all layers together or one a layer, whichever it should not", legitimate=False, rewrites={
            "blocks": "[tuple(range(len(params)))] if hyper.blocks == 'layers' else [(l,) for l in range(len(params))]"}),
    )),
    "hessian_free": (
        *(convention for convention in _FORETOLD if "lam" not in convention.rewrites),
        Convention("λ without τ", {"lam": "1 * state.lam_LM"}, legitimate=False),
        Convention("B is a sum over S₂ where it should be a mean", legitimate=False, rewrites={
            "B.result": "each(lambda BX, X: S_2.tape.output.shape[0] * BX + eta * X, ggn_X, X)"}),
        Convention("B leaves out the Hessian of the penalty", {"B.result": "ggn_X"}, legitimate=False),
        Convention("conjugate gradients solve Bp = −∇f, without λ", legitimate=False, rewrites={
            "p": "conjugate_gradient(B, each(lambda D: -D, grad), iterations=hyper.iterations, progress=hyper.progress, M=M).x"}),
        Convention("conjugate gradients end one iteration early", legitimate=False, rewrites={
            "p": "conjugate_gradient(lambda X: each(lambda BX, X: BX + lam * X, B(X), X), each(lambda D: -D, grad), "
                 "iterations=hyper.iterations - 1, progress=hyper.progress, M=M).x"}),
    ),
    "sgd_m": (
        Convention("momentum is heavy ball, ĝ = βĝ + g (R Section 3.7.2)",
                   {"g_h": "tuple(beta * g_h_i + g_i for g_h_i, g_i in zip(state.g_h, g))"}),
        Convention("momentum is an exponential moving average, ĝ = βĝ + (1 − β)g (R Section 2.5.2)",
                   {"g_h": "tuple(beta * g_h_i + (1 - beta) * g_i for g_h_i, g_i in zip(state.g_h, g))"}),
        Convention("momentum is an exponential moving average that starts from the first gradient",
                   {"g_h": "tuple(beta * g_h_i + (1 - beta if state.k else 1) * g_i for g_h_i, g_i in zip(state.g_h, g))"}),
        Convention("Nesterov momentum: the step is taken along g + βĝ with heavy ball",
                   {"g_h": "tuple(beta * g_h_i + g_i for g_h_i, g_i in zip(state.g_h, g))",
                    "theta": "tuple(descend(theta_i, g_i + beta * g_h_i, alpha, hyper.gamma) "
                             "for theta_i, g_h_i, g_i in zip(theta, g_h, g))"}),
        Convention("no momentum: the step is taken along g", {"theta": "tuple(descend(theta_i, g_i, alpha, hyper.gamma) "
                   "for theta_i, g_i in zip(theta, g))"}, legitimate=False),
        Convention("stale momentum: the step is taken along the previous ĝ",
                   {"theta": "tuple(descend(theta_i, p_i, alpha, hyper.gamma) for theta_i, p_i in zip(theta, state.g_h))"},
                   legitimate=False),
        Convention("the weights of ĝ and g are exchanged",
                   {"g_h": "tuple((1 - beta) * g_h_i + beta * g_i for g_h_i, g_i in zip(state.g_h, g))"}, legitimate=False),
    ),
    "adam": (
        Convention("ε is added to √v before the bias correction (Kingma and Ba, Section 2, ε̂)",
                   {"p": "tuple(m_i * xp.sqrt(1 - beta2**t) / (1 - beta1**t) / (xp.sqrt(v_i) + eps) "
                         "for m_i, v_i in zip(m, v))"}),
        Convention("ε stands inside the root",
                   {"p": "tuple(m_i / xp.sqrt(v_i + eps) for m_i, v_i in zip(m_h, v_h))"}),
        Convention("v averages the square of the momentum, not of the gradient",
                   {"v": "tuple(beta2 * v_i + (1 - beta2) * m_i**2 for v_i, m_i in zip(state.v, m))"}, legitimate=False),
        Convention("m is not corrected for its start at 0", {"m_h": "m"}, legitimate=False),
        Convention("v is not corrected for its start at 0", {"v_h": "v"}, legitimate=False),
        Convention("the bias corrections are one step ahead", legitimate=False,
                   rewrites={"m_h": "tuple(m_i / (1 - beta1**(t + 1)) for m_i in m)",
                             "v_h": "tuple(v_i / (1 - beta2**(t + 1)) for v_i in v)"}),
        Convention("β₁ and β₂ are exchanged in the averages", legitimate=False,
                   rewrites={"m": "tuple(beta2 * m_i + (1 - beta2) * g_i for m_i, g_i in zip(state.m, g))",
                             "v": "tuple(beta1 * v_i + (1 - beta1) * g_i**2 for v_i, g_i in zip(state.v, g))"}),
        Convention("stale momentum: the step uses the previous m",
                   {"m_h": "tuple(m_i / (1 - beta1**t) for m_i in state.m)"}, legitimate=False),
        Convention("the direction uses v̂ without the root",
                   {"p": "tuple(m_i / (v_i + eps) for m_i, v_i in zip(m_h, v_h))"}, legitimate=False),
    ),
    "rmsprop": (
        Convention("no average of the gradient: β₁ = 0 (Hinton, lecture 6e)", {"m": "g"}),
        Convention("v starts from zeros", start={"v": "zeros"}),
        Convention("v starts from ones", start={"v": "ones"}),
        Convention("ε stands inside the root", {"p": "tuple(m_i / xp.sqrt(v_i + eps) for m_i, v_i in zip(m, v))"}),
        Convention("v averages the square of the average, not of the gradient",
                   {"v": "tuple(beta2 * v_i + (1 - beta2) * m_i**2 for v_i, m_i in zip(state.v, m))"}, legitimate=False),
        Convention("the direction uses v without the root",
                   {"p": "tuple(m_i / (v_i + eps) for m_i, v_i in zip(m, v))"}, legitimate=False),
        Convention("stale v: the root is taken of the previous v",
                   {"p": "tuple(m_i / (xp.sqrt(v_i) + eps) for m_i, v_i in zip(m, state.v))"}, legitimate=False),
    ),
    **dict.fromkeys(("kbfgs20", "kbfgs20_l"), (
        Convention("H_a starts from the identity (R Section 2.8.2)", start={"H_a": "eye"}),
        Convention("momentum is heavy ball, ∇f̂ = β∇f̂ + ∇f (R Algorithm 9)",
                   {"grad_h": "each(lambda D_h, D: beta * D_h + D, state.grad_h, grad)"}),
        Convention("no momentum: the direction is taken from ∇f itself (R Algorithm 5)",
                   {"p": "each(lambda H_g, D, H_a: H_g @ D @ H_a, state.H_g, grad, state.H_a)"}),
        Convention("H_g is updated by the undamped pair", legitimate=False,
                   rewrites={"H_g": "each(lbfgs.updated, state.H_g, s_g, y_g)"}),
        Convention("s and y of line 16 are not averaged over steps", legitimate=False,
                   rewrites={"s_g": "each(lambda h_p, h: h_p - mean(h), after.h, tape.h)",
                             "y_g": "each(lambda g_p, g: g_p - mean(g), after.g, g)"}),
        Convention("y_a leaves out the Levenberg-Marquardt term", legitimate=False,
                   rewrites={"s_a, y_a": "both(lambda H, a, A: hessian_action_pair.trusted(H, mean(a), A), "
                                         "state.H_a, tape.a, A)"}),
        Convention("stale A: line 21 damps the previous average", {"A_LM": "each(lambda A: damped(A, lam_A), state.A)"},
                   legitimate=False),
        Convention("A averages āāᵀ of the mean input, not the mean of āāᵀ", legitimate=False,
                   rewrites={"A": "each(lambda A, a: beta * A + (1 - beta) * mean(a)[:, None] * mean(a)[None, :], "
                                  "state.A, tape.a)"}),
        Convention("the bias follows the average gradient, not the direction", legitimate=False, rewrites={
            "W": "each(lambda layer, p, D_h: join(layer) - alpha * xp.concat([p[:, :-1], D_h[:, -1:]], axis=1), "
                 "params, p, grad_h)"}),
        Convention("∇f is summed over the mini-batch where it should be averaged", legitimate=False,
                   rewrites={"grad": "each(lambda D: batch.x.shape[0] * D, joined_gradient(g, tape.a, params, hyper.eta))"}),
    )),
    "kbfgs20_l_skip": (
        Convention("no pair is skipped (R Algorithm 4)", {"H_g": "each(lbfgs.updated, state.H_g, s_t, y_t)"}),
        Convention("stale A: line 22 damps the previous average", {"A_LM": "each(lambda A: damped(A, lam_A), state.A)"},
                   legitimate=False),
    ),
    **dict.fromkeys(("grouped_newton", "newton", "cauchy"), (
        Convention("u starts from 0, not from the first gradient",
                   {"u": "tuple(mu_g * u_i + (1 - mu_g) * g_i for u_i, g_i in zip(state.u, g))"}),
        Convention("momentum is heavy ball, u = μ_g u + g (the author's later run scripts)",
                   {"u": "tuple(g_i if t == 0 else mu_g * u_i + g_i for u_i, g_i in zip(state.u, g))"}),
        Convention("λ multiplies what is averaged in η, not the step (the author's code of February 2024)",
                   {"eta": "momentum(mu_eta, eta, state.lam * (xp.maximum(e, xp.zeros(())) if hyper.positive else e), t)",
                    "theta": "tuple(theta_i - eta_i * u_i for theta_i, eta_i, u_i "
                             "in zip(theta, taylor.spread(eta, taylor.labels(params, partition)), u))"}),
        Convention("the cubic term is isotropic: D = I (Nesterov and Polyak)", {"d": "0 * D3_diag + 1"}),
        Convention("the summaries are taken on the mini-batch of the gradient", {"sample": "batch"}),
        Convention("ḡ has the wrong sign: the step goes up", {"g_bar, H_bar, D3_diag": "(lambda g, H, D3: (-g, H, D3))"
                   "(*taylor.summaries(model, params, sample, nets.layers(u, params), partition))"}, legitimate=False),
        Convention("H̄ is half of the second derivative", {"g_bar, H_bar, D3_diag": "(lambda g, H, D3: (g, H / 2, D3))"
                   "(*taylor.summaries(model, params, sample, nets.layers(u, params), partition))"}, legitimate=False),
        Convention("H̄ keeps its diagonal only", {"g_bar, H_bar, D3_diag": "(lambda g, H, D3: (g, H * xp.eye(H.shape[0]), D3))"
                   "(*taylor.summaries(model, params, sample, nets.layers(u, params), partition))"}, legitimate=False),
        Convention("D^(3) is divided by 3!", {"g_bar, H_bar, D3_diag": "(lambda g, H, D3: (g, H, D3 / 6))"
                   "(*taylor.summaries(model, params, sample, nets.layers(u, params), partition))"}, legitimate=False),
        Convention("the summaries are taken along g, not along u", legitimate=False, rewrites={
                   "g_bar, H_bar, D3_diag": "taylor.summaries(model, params, sample, nets.layers(g, params), partition)"}),
        Convention("stale direction: the summaries are taken along the previous u", legitimate=False, rewrites={
                   "g_bar, H_bar, D3_diag": "taylor.summaries(model, params, sample, nets.layers(state.u, params), partition)"}),
        Convention("D lacks the cube root", {"d": "abs(D3_diag)"}, legitimate=False),
        Convention("the cubic term has the weight λ_int/2 (1/6 taken for 1/2)",
                   {"e": "cubic.step_sizes(g_bar, H_bar, d, hyper.lam_int / 3)"}, legitimate=False),
        Convention("no cubic term: η = H̄⁻¹ḡ", {"e": "cubic.step_sizes(g_bar, H_bar, 0 * d, hyper.lam_int)"}, legitimate=False),
        Convention("the positive part is missing", {"eta": "momentum(mu_eta, eta, e, t)"}, legitimate=False),
        Convention("η is not averaged", {"eta": "xp.maximum(e, xp.zeros(())) if hyper.positive else e"}, legitimate=False),
        Convention("the step is taken along g, not along u", legitimate=False, rewrites={
            "theta": "tuple(theta_i - state.lam * (eta_i * g_i) for theta_i, eta_i, g_i "
                     "in zip(theta, taylor.spread(eta, taylor.labels(params, partition)), g))"}),
        Convention("λ is missing", legitimate=False, rewrites={
            "theta": "tuple(theta_i - eta_i * u_i for theta_i, eta_i, u_i "
                     "in zip(theta, taylor.spread(eta, taylor.labels(params, partition)), u))"}),
    )),
    "cubic.step_sizes": (
        Convention("the weight of the cubic term in the equation is λ/6, not λ/2",
                   {"step_sizes.result": "solution(g, H, d, lam / 3).eta"}, legitimate=False),
        Convention("the weight of the cubic term in the equation is λ, not λ/2",
                   {"step_sizes.result": "solution(g, H, d, 2 * lam).eta"}, legitimate=False),
        Convention("ḡ has the wrong sign", {"step_sizes.result": "-solution(g, H, d, lam).eta"}, legitimate=False),
        Convention("D = I", {"step_sizes.result": "solution(g, H, 0 * d + 1, lam).eta"}, legitimate=False),
        Convention("no cubic term", {"step_sizes.result": "solution(g, H, 0 * d, lam).eta"}, legitimate=False),
        Convention("D in the place of D²", {"step_sizes.result": "solution(g, H, namespace(d).sqrt(d), lam).eta"},
                   legitimate=False),
    ),
    "kfac20": (
        Convention("momentum is heavy ball, ∇f̂ = β∇f̂ + ∇f (R Algorithm 12)",
                   {"grad_h": "each(lambda D_h, D: beta * D_h + D, state.grad_h, grad)"}),
        Convention("the direction is taken with the inverses of this step, not of the step before", legitimate=False, rewrites={
            "p": "(each(lambda D_h, A, G, a, g: xp.inv(damped(beta * G + (1 - beta) * second_moment(g), root)) @ D_h @ "
                 "xp.inv(damped(beta * A + (1 - beta) * second_moment(a), root)), grad_h, state.A, state.G, tape.a, "
                 "sampled_gradients(model, params, tape, batch)) if k <= hyper.T or k % hyper.T == 0 else "
                 "each(lambda H_g, D_h, H_a: H_g @ D_h @ H_a, state.H_g, grad_h, state.H_a))"}),
        Convention("no inverses in the first T steps, before step T", legitimate=False, rewrites={
            "H_a": "H_a if k % hyper.T else each(lambda A: xp.inv(damped(A, root)), A)",
            "H_g": "H_g if k % hyper.T else each(lambda G: xp.inv(damped(G, root)), G)"}),
        Convention("empirical Fisher: G comes from the data's own targets", legitimate=False,
                   rewrites={"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g), state.G, "
                                  "nets.pre_gradients(model, params, tape, batch.y))"}),
        Convention("λ is added to A and to G where √λ should be", legitimate=False,
                   rewrites={"H_a": "each(lambda A: xp.inv(damped(A, xp.const(hyper.lam))), A)",
                             "H_g": "each(lambda G: xp.inv(damped(G, xp.const(hyper.lam))), G)"}),
        Convention("G is N times too small: ggᵀ of gradients that were divided by N, summed", legitimate=False,
                   rewrites={"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g) / batch.x.shape[0], state.G, g)"}),
    ),
    "kbfgs": (Convention("H_G starts from the identity (R Algorithm 4)", start={"H_G": "eye"}), *_ALGORITHM_9),
    "kbfgs_l": (
        *_ALGORITHM_9,
        *(Convention(text, legitimate=False, rewrites={
            "p": f"each(lambda H, D_h, H_A: {H} @ D_h @ H_A, state.H_G, DW_h, state.H_A)",
            "s_t, y_t": f"both(lambda s, y, H, mu2: dp_dlm.trusted(s, y, {H}, mu1=mu1, mu2=mu2), s_G, y_G, H_G, lam_G)"})
          for text, H in (("L-BFGS starts from I (R Algorithm 4)", "H._replace(h=1)"),
                          ("L-BFGS starts from sᵀy/yᵀy of the newest pair, as libraries do",
                           "(H._replace(h=H.S[:, -1] @ H.Y[:, -1] / (H.Y[:, -1] @ H.Y[:, -1])) if H.S.shape[1] else H)"))),
    ),
    "kbfgs_l_exact": (
        Convention("D_P D_LM with H_G (R Algorithm 8, as Algorithm 10, line 15, is printed: ERR-15)",
                   {"s_t, y_t": "both(lambda s, y, H, mu2: dp_dlm.trusted(s, y, H, mu1=mu1, mu2=mu2), "
                                "s_G, y_G, state.H_G, lam_G)"}),
        Convention("A is averaged over positions, where (3.9) adds them up", legitimate=False,
                   rewrites={"A": "each(lambda a: second_moment(a) / a.shape[1], tape.a)"}),
        Convention("H_G is updated by the undamped pair", legitimate=False,
                   rewrites={"H_G": "each(lbfgs.updated, state.H_G, s_G, y_G)"}),
    ),
    "kfac": (Convention("empirical Fisher: Γ comes from the data's own targets", legitimate=False,
                        rewrites={"g_F": "of_layers(params, nets.pre_gradients(model, params, tape, batch.y))"}), *_ALGORITHM_12),
    "kfac_ef": (Convention("Γ comes from sampled targets (R Algorithm 12)",
                           {"g_F": "sampled_gradients(model, params, tape, batch)"}),
                *(convention for convention in _ALGORITHM_12 if "norm" not in convention.rewrites)),
    "tnt": (Convention("empirical Fisher matrix: Ḡ is the gradient of the data's own targets", legitimate=False,
                       rewrites={"G_b": "() if k % hyper.T_1 else grad"}), *_ALGORITHM_15),
    "tnt_ef": _ALGORITHM_15,
    "tnt_ideal": (
        Convention("every Ũ_i has trace 1 (Dees and Mandic)",
                   {"U_t": "by_mode(lambda E: E / namespace(E).sum(E * namespace(E).eye(E.shape[0])), G)"}),
        Convention("E[G⁽ⁱ⁾] is used as it is, without (4.10)", {"U_t": "G"}, legitimate=False),
        Convention("the covariance is that of the average over the batch, 1/m of the text's", legitimate=False,
                   rewrites={"G": "by_mode(lambda E: E / batch.x.shape[0], "
                                  "expectation(model, params, examples(batch), hyper.view))"}),
    ),
    "shampoo": (
        Convention("Ĝ contracts the gradient of drawn targets", legitimate=False, rewrites={
            "G_h": "by_mode(lambda G, new: beta * G + (1 - beta) * new, state.G_h, contractions(gradient(model, params, "
                   "batch._replace(y=batch.y_sampled), hyper.eta, tape), hyper.view)) if k % hyper.T_1 == 0 else state.G_h"}),
        Convention("momentum is an exponential moving average, (1 − μ)∇𝓛 in place of ∇𝓛 (R Section 2.5.2)",
                   {"grad_h": "each(lambda D_h, D: mu * D_h + (1 - mu) * D, state.grad_h, grad)"}),
        Convention("no momentum: the direction is taken from ∇𝓛 itself (Gupta et al.)",
                   {"p": "preconditioned(grad, root_inv, hyper.view)"}),
        Convention("Ĝ sums the contractions, without decay (Gupta et al.)",
                   {"G_h": "by_mode(lambda G, new: G + new, state.G_h, contractions(grad, hyper.view)) "
                           "if k % hyper.T_1 == 0 else state.G_h"}),
        Convention("Ĝ sums the contractions from 0 on, without decay or warm start (Gupta et al.)",
                   {"G_h": "by_mode(lambda G, new: G + new, state.G_h, contractions(grad, hyper.view)) "
                           "if k % hyper.T_1 == 0 else state.G_h"}, {"G_h": "zeros"}),
        Convention("Ĝ starts from 0, without a warm start", start={"G_h": "zeros"}),
        Convention("the exponent is −1/k, k the order of the tensor (R Section 4.3.4, note 1)",
                   {"root_inv": _roots("len(G)")}),
        Convention("the exponent is −1/2 for every order",
                   {"root_inv": _roots("2")}),
        Convention("the exponent is −1/4 for every order",
                   {"root_inv": _roots("4")}, legitimate=False),
        Convention("the gradient is summed over the mini-batch before it is contracted", legitimate=False,
                   rewrites={"G_h": "by_mode(lambda G, new: beta * G + (1 - beta) * batch.x.shape[0]**2 * new, state.G_h, "
                                    "contractions(grad, hyper.view)) if k % hyper.T_1 == 0 else state.G_h"}),
        Convention("stale roots: the direction uses those of the step before",
                   {"p": "preconditioned(grad_h, state.root_inv, hyper.view)"}, legitimate=False),
        Convention("the root of the last mode is left out", legitimate=False,
                   rewrites={"p": "preconditioned(grad_h, tuple((*U[:-1], xp.eye(U[-1].shape[0])) for U in root_inv), "
                                  "hyper.view)"}),
    ),
    "block_fisher": (
        Convention("momentum is heavy ball (R Section 4.7.2)",
                   {"grad_h": "each(lambda D_h, D: beta * D_h + D, state.grad_h, grad)"}),
        Convention("no momentum: the direction is taken from ∇𝓛 itself",
                   {"p": "each(lambda F, D: xp.reshape(xp.solve(damped(F, eps), vec(D)), D.shape), F, grad)"}),
        Convention("empirical Fisher matrix: F comes from the data's own targets", legitimate=False,
                   rewrites={"F": "each(lambda F, new: beta * F + (1 - beta) * new, state.F, "
                                  "blocks(model, params, tape, batch._replace(y_sampled=batch.y)))"}),
        Convention("F comes from the averaged gradient: rank one, and 1/m of the text's in the mean", legitimate=False,
                   rewrites={"F": "each(lambda F, g, a: beta * F + (1 - beta) * vec(nets.weight_gradient(g, a))[:, None] * "
                                  "vec(nets.weight_gradient(g, a))[None, :], state.F, "
                                  "nets.pre_gradients(model, params, tape, batch.y_sampled), tape.a)"}),
        Convention("columns of W̄ one after the other in F, rows in the gradient", legitimate=False,
                   rewrites={"p": "each(lambda F, D_h: xp.reshape(xp.solve(damped(F, eps), vec(D_h.T)), D_h.shape), F, grad_h)"}),
    ),
    "curvature.hessian": (
        _slip("hessian", "the second term of (1.4) is left out: the Gauss-Newton matrix", result="ggn(model, params, x)"),
        _slip("hessian", "a sum over examples where the mean is due",
              result="x.shape[0] * namespace(H).take(namespace(H).take(H, order, 0), order, 1)"),
        _slip("hessian", "matrices go row by row in θ, where columns come first", result="H"),
    ),
    "curvature.ggn": (
        _slip("ggn", "a sum over examples where the mean is due",
              result='x.shape[0] * _matrix(model, params, Examples(nets.forward(model, params, x), None, None), "gauss_newton")'),
    ),
    "curvature.empirical_fisher": (
        _slip("empirical_fisher", "a sum over examples where the mean is due",
              result='x.shape[0] * _matrix(model, params, Examples(nets.forward(model, params, x), y, None), "empirical_fisher")'),
        _slip("empirical_fisher", "the square of the mean gradient, where the mean of squares is due",
              result='(lambda E: namespace(E).sum(E, axis=0)[:, None] * namespace(E).sum(E, axis=0)[None, :] / x.shape[0]**2)'
                     '(entries(rows(model, params, Examples(nets.forward(model, params, x), y, None), "empirical_fisher")))'),
    ),
    "damping.powell_on_B": _interpolation("powell_on_B", "y_t", "theta", "y", "Bs"),
    "damping.powell_on_H": _interpolation("powell_on_H", "s_t", "theta", "s", "Hy"),
    "damping.powell_identity": _interpolation("powell_identity", "y_t", "theta", "y", "s"),
    "damping.double_damping": (
        *_interpolation("double_damping", "s_t", "theta1", "s", "Hy"),
        *_interpolation("double_damping", "y_t", "theta2", "y", "s_t"),
        _slip("double_damping", "y is pulled towards the undamped s", y_t="theta2 * y + (1 - theta2) * s"),
        _slip("double_damping", "the second weight is taken from the undamped s", theta2="weight(s @ y, s @ s, mu2)"),
        _slip("double_damping", "μ₁ and μ₂ are exchanged", theta1="weight(s @ y, y @ Hy, mu2)",
              theta2="weight(s_t @ y, s_t @ s_t, mu1)"),
    ),
    "damping.dp_dlm": (
        *_interpolation("dp_dlm", "s_t", "theta1", "s", "Hy"),
        _slip("dp_dlm", "the Levenberg-Marquardt term takes the undamped s", y_t="y + mu2 * s"),
        _slip("dp_dlm", "the Levenberg-Marquardt term is divided by μ₂", y_t="y + s_t / mu2"),
    ),
    "damping.dpi_dlm": (
        *_interpolation("dpi_dlm", "s_t", "theta1", "s", "Hy"),
        _slip("dpi_dlm", "the Levenberg-Marquardt term takes the undamped s", y_t="y + mu2 * s"),
    ),
    "roots.inverse_root": (
        _slip("inverse_root", "this is A^(−1/2p), the exponent of twice the power", result="_found(A, 2 * p, tolerance)"),
        _slip("inverse_root", "this is A^(1/p), the root itself, not its inverse",
              result="namespace(A).inv(_found(A, p, tolerance))"),
        _slip("inverse_root", "this is the inverse, without a root", result="namespace(A).inv(A)"),
    ),
    "tensor_normal.moments": (
        _slip("moments", "the product of traces includes the mode's own",
              result="tuple(U_i * prod(traces, start=1) for U_i in U)"),
        _slip("moments", "the traces are left out", result="tuple(U)"),
    ),
    "tensor_normal.identify": (
        _slip("identify", "c₀ is the k-th power, the root is left out", c_0="mean"),
        _slip("identify", "every Ũ_i has trace 1 (Dees and Mandic), and c is lost", U_t="tuple(E_j / total for E_j in E)"),
        _slip("identify", "Ũ_i is divided by c₀ to the power k", U_t="tuple(E_j / (c_0 ** k * (n // E_j.shape[0])) for E_j in E)"),
        _slip("identify", "Ũ_i is not divided by the sizes of the other modes", U_t="tuple(E_j / c_0 ** (k - 1) for E_j in E)"),
    ),
    "lbfgs.product": (
        _slip("product", "the pairs are taken in the wrong order, the newest first",
              result="(lambda f: f(f, m, h * xp.eye(S.shape[0])))(lambda f, i, H: f(f, i - 1, bfgs_H.trusted("
                     "H, S[:, i - 1], Y[:, i - 1])) if i else H) @ X"),
        _slip("product", "H starts from the identity, not from hI",
              top="xp.solve(R.T, (SY * xp.eye(m) + Y.T @ Y) @ RSX - inner[m:])", result="X + both @ xp.concat([top, -RSX])"),
    ),
    "quasi_newton.bfgs_H": (
        _slip("bfgs_H", "this is DFP, the member φ = 0 of the Broyden family: the update of B with s and y exchanged",
              result="dfp_H(H, s, y)"),
    ),
    "quasi_newton.dfp_H": (
        _slip("dfp_H", "this is BFGS, the member φ = 1 of the Broyden family", result="bfgs_H(H, s, y)"),
    ),
}
