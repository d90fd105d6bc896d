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
        Convention("empirical Fisher: G comes from the data's own targets", legitimate=False,
                   rewrites={"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g), state.G, "
                                  "nets.pre_gradients(model, params, tape, batch.y))"}),
        Convention("λ is added to A and to G where √λ should be", legitimate=False,
                   rewrites={"H_a": "each(lambda A: xp.inv(damped(A, xp.const(hyper.lam))), A)",
                             "H_g": "each(lambda G: xp.inv(damped(G, xp.const(hyper.lam))), G)"}),
        Convention("G is N times too small: ggᵀ of gradients that were divided by N, summed", legitimate=False,
                   rewrites={"G": "each(lambda G, g: beta * G + (1 - beta) * second_moment(g) / batch.x.shape[0], state.G, g)"}),
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
    "quasi_newton.bfgs_H": (
        _slip("bfgs_H", "this is DFP, the member φ = 0 of the Broyden family: the update of B with s and y exchanged",
              result="dfp_H(H, s, y)"),
    ),
    "quasi_newton.dfp_H": (
        _slip("dfp_H", "this is BFGS, the member φ = 1 of the Broyden family", result="bfgs_H(H, s, y)"),
    ),
}
