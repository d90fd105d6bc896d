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


def _roots(p: str) -> str:
    """The line of Shampoo's inverse roots with another p."""
    return (f"each(lambda G: each(lambda G_i: inverse_root.trusted(damped(G_i, xp.const(hyper.eps)), {p}, hyper.tolerance), G), "
            f"G_h) if k % hyper.T_2 == 0 else state.root_inv")


CONVENTIONS: dict[str, tuple[Convention, ...]] = {
    "sgd_m": (
        Convention("momentum is heavy ball, ĝ = βĝ + g (R Section 3.7.2)",
                   {"g_h": "tuple(beta * g_h_i + g_i for g_h_i, g_i in zip(state.g_h, g))"}),
        Convention("momentum is an exponential moving average, ĝ = βĝ + (1 − β)g (R Section 2.5.2)",
                   {"g_h": "tuple(beta * g_h_i + (1 - beta) * g_i for g_h_i, g_i in zip(state.g_h, g))"}),
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
        Convention("H_g is updated by the undamped pair", {"H_g": "each(lbfgs.updated, state.H_g, s_g, y_g)"}, legitimate=False),
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
        Convention("∇f is summed over the mini-batch where it should be averaged", legitimate=False,
                   rewrites={"grad": "each(lambda D: batch.x.shape[0] * D, joined_gradient(g, tape.a, params, hyper.eta))"}),
    )),
    "kbfgs20_l_skip": (
        Convention("no pair is skipped (R Algorithm 4)", {"H_g": "each(lbfgs.updated, state.H_g, s_t, y_t)"}),
        Convention("stale A: line 22 damps the previous average", {"A_LM": "each(lambda A: damped(A, lam_A), state.A)"},
                   legitimate=False),
    ),
    "kfac20": (
        Convention("momentum is heavy ball, ∇f̂ = β∇f̂ + ∇f (R Algorithm 12)",
                   {"grad_h": "each(lambda D_h, D: beta * D_h + D, state.grad_h, grad)"}),
        Convention("empirical Fisher: G comes from the data's own targets", legitimate=False,
                   rewrites={"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g), state.G, "
                                  "nets.pre_gradients(model, params, tape, batch.y))"}),
        Convention("λ is added to A and to G where √λ should be", legitimate=False,
                   rewrites={"H_a": "each(lambda A: xp.inv(damped(A, xp.const(hyper.lam))), A)",
                             "H_g": "each(lambda G: xp.inv(damped(G, xp.const(hyper.lam))), G)"}),
        Convention("G is N times too small: ggᵀ of gradients that were divided by N, summed", legitimate=False,
                   rewrites={"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g) / batch.x.shape[0], state.G, g)"}),
    ),
    **dict.fromkeys(("tnt", "tnt_ef"), (
        Convention("momentum is an exponential moving average, (1 − μ)∇𝓛 in place of ∇𝓛 (R Section 2.5.2)",
                   {"grad_h": "each(lambda D_h, D: mu * D_h + (1 - mu) * D, state.grad_h, grad)"}),
        Convention("no momentum: the direction is taken from ∇𝓛 itself (R Algorithm 13)",
                   {"p": "preconditioned(grad, U_inv, hyper.view)"}),
        Convention("every Ũ_i has trace 1 (Dees and Mandic)",
                   {"U_t": "by_mode(lambda G: G / xp.sum(G * xp.eye(G.shape[0])), G_h) if k % hyper.T_2 == 0 else ()"}),
        Convention("the first inverses are those of zero statistics: I/ε",
                   {"U_inv": "inverses(U_t, eps) if U_t else state.U_inv if k >= hyper.T_2 else "
                             "by_mode(lambda U: xp.eye(U.shape[0]) / eps, state.U_inv)"}),
        Convention("empirical Fisher matrix: Ḡ is the gradient of the data's own targets", {"G_b": "() if k % hyper.T_1 else grad"},
                   legitimate=False),
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
    )),
    "tnt_ideal": (
        Convention("every Ũ_i has trace 1 (Dees and Mandic)",
                   {"U_t": "by_mode(lambda E: E / namespace(E).sum(E * namespace(E).eye(E.shape[0])), G)"}),
        Convention("E[G⁽ⁱ⁾] is used as it is, without (4.10)", {"U_t": "G"}, legitimate=False),
        Convention("the covariance is that of the average over the batch, 1/m of the text's", legitimate=False,
                   rewrites={"G": "by_mode(lambda E: E / batch.x.shape[0], "
                                  "expectation(model, params, examples(batch), hyper.view))"}),
    ),
    "shampoo": (
        Convention("momentum is an exponential moving average, (1 − μ)∇𝓛 in place of ∇𝓛 (R Section 2.5.2)",
                   {"grad_h": "each(lambda D_h, D: mu * D_h + (1 - mu) * D, state.grad_h, grad)"}),
        Convention("no momentum: the direction is taken from ∇𝓛 itself (Gupta et al.)",
                   {"p": "preconditioned(grad, root_inv, hyper.view)"}),
        Convention("Ĝ sums the contractions, without decay (Gupta et al.)",
                   {"G_h": "by_mode(lambda G, new: G + new, state.G_h, contractions(grad, hyper.view)) "
                           "if k % hyper.T_1 == 0 else state.G_h"}),
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
        _slip("identify", "c₀ is the k-th power, the root is left out", c_0="total / n"),
        _slip("identify", "every Ũ_i has trace 1 (Dees and Mandic), and c is lost", U_t="tuple(E_j / total for E_j in E)"),
        _slip("identify", "Ũ_i is divided by c₀ to the power k", U_t="tuple(E_j / (c_0 ** k * (n // E_j.shape[0])) for E_j in E)"),
        _slip("identify", "Ũ_i is not divided by the sizes of the other modes", U_t="tuple(E_j / c_0 ** (k - 1) for E_j in E)"),
    ),
    "quasi_newton.bfgs_H": (
        _slip("bfgs_H", "this is DFP, the member φ = 0 of the Broyden family: the update of B with s and y exchanged",
              result="dfp_H(H, s, y)"),
    ),
    "quasi_newton.dfp_H": (
        _slip("dfp_H", "this is BFGS, the member φ = 1 of the Broyden family", result="bfgs_H(H, s, y)"),
    ),
}
