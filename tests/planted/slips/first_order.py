"""Slips in SGD with momentum, Adam and RMSprop."""

SLIPS = {
    "reference.first_order.adam": {
        "reference/test_first_order_twins.py::test_one_step_over_the_rationals_from_a_prepared_state": [
            ("KB1.1", "state.k + 1", "state.k + 2", "t counted from 2"),
            ("KB1.2", "hyper.eta", "0", "the penalty is forgotten"),
            ("KB1.3", "(1 - beta1) * g_i", "g_i", "heavy ball: the factor 1 − β₁ is left out"),
            ("KB1.3", "(1 - beta1)", "(1 - beta2)", "1 − β₂ for 1 − β₁"),
            ("KB1.4", "zip(state.v, g,", "zip(state.v, m,", "the momentum is squared in place of the gradient"),
            ("KB1.4", "g_i**2", "abs(g_i)", "|g| for g²"),
            ("KB1.4", "* g_i**2", "* g_i**2 * 1000001 / 1000000", "a millionth too much"),
            ("KB1.4", "(1 - beta2) * g_i**2", "g_i**2", "the factor 1 − β₂ is left out"),
            ("KB1.5", "beta1**t", "beta1", "the correction of the first step for ever"),
            ("KB1.6", "beta2**t", "beta1**t", "β₁ for β₂"),
            ("KB1.6", "beta2**t", "beta2**(t + 1)", "t one too large"),
            ("KB1.7", "(xp.sqrt(v_i) + eps)", "xp.sqrt(v_i + eps)", "ε inside the root"),
            ("KB1.7", "zip(m_h, v_h", "zip(m, v_h", "m without its correction"),
            ("KB1.7", "zip(m_h, v_h", "zip(m_h, v", "v without its correction"),
            ("KB1.7", "hyper.gamma", "0", "weight decay is forgotten"),
            ("KB1.7", "zip(theta, p,", "zip(theta, m_h,", "the direction is not divided by √v̂"),
        ],
        "reference/test_methods_contract.py::test_a_tape_changes_no_bit_and_saves_the_forward_pass": [
            ("KB1.2", "batch, hyper.eta, tape", "batch, hyper.eta, None", "the tape is not used"),
        ],
        "reference/test_methods_contract.py::test_hyper_parameters_out_of_range": [
            ("check_hyper", "lambda eps: eps > 0", "lambda eps: eps >= 0", "ε = 0 passes"),
        ],
        "reference/test_methods_contract.py::test_defaults_are_those_of_their_sources": [
            ("Hyper", "Fraction(999, 1000)", "Fraction(99, 100)", "β₂ = 0.99 by default"),
        ],
        "reference/test_first_order_twins.py::test_fifty_digits_over_five_steps": [
            ("init", "State(0, m, v)", "State(1, m, v)", "t counted from 2"),
        ],
    },
    "reference.first_order.rmsprop": {
        "reference/test_first_order_twins.py::test_one_step_over_the_rationals_from_a_prepared_state": [
            ("R§2.8.2", "hyper.eta, tape", "0, tape", "the penalty is forgotten"),
            ("R§2.8.2", "(1 - beta1) * g_i ", "g_i ", "heavy ball: the factor 1 − β₁ is left out"),
            ("R§2.8.2", "zip(state.v, g,", "zip(state.v, m,", "the momentum is squared in place of the gradient"),
            ("R§2.8.2", "(1 - beta2) * g_i**2", "(1 - beta1) * g_i**2", "β₁ for β₂"),
            ("R§2.8.2", "(xp.sqrt(v_i) + eps)", "xp.sqrt(v_i + eps)", "ε inside the root"),
            ("R§2.8.2", "zip(m, v,", "zip(m, state.v,", "stale v"),
            ("R§2.8.2", "zip(theta, p,", "zip(theta, m,", "the direction is not divided by √v"),
        ],
        "reference/test_first_order_twins.py::test_fifty_digits_over_five_steps": [
            ("init", "g_i**2 * batch.x.shape[0] / total", "g_i**2 / len(batches)",
             "batches weighted alike, whatever their size"),
            ("init", "g_i**2 * batch.x.shape[0] / total", "g_i * batch.x.shape[0] / total", "v starts from ḡ, not from ḡ ⊙ ḡ"),
            ("init", "v = m\n", "v = tuple(m_i + 1 for m_i in m)\n", "v starts from 1 and the data"),
        ],
    },
    "reference.first_order.sgd_m": {
        "reference/test_first_order_twins.py::test_fifty_digits_over_five_steps": [
            ("R§2.8.2", "hyper.eta", "0", "the penalty is forgotten"),
            ("R§2.5.2", "new * g_i", "(1 - beta) * g_i", "heavy ball damped as if it were an average"),
            ("R§2.5.2", "zip(state.g_h, g,", "zip(g, state.g_h,", "old momentum and new gradient exchanged"),
            ("R§3.7.2", "zip(theta, g_h,", "zip(theta, state.g_h,", "stale momentum"),
            ("R§3.7.2", "zip(theta, g_h,", "zip(theta, g,", "momentum is kept and not used"),
            ("R§3.7.2", "hyper.gamma", "0", "weight decay is forgotten"),
            ("step", '1 - beta if hyper.momentum == "ema" else 1', '1 if hyper.momentum == "ema" else 1 - beta',
             "conventions exchanged"),
        ],
        "reference/test_methods_contract.py::test_hyper_parameters_out_of_range": [
            ("check_hyper", "0 <= beta < 1", "0 <= beta <= 1", "β = 1 passes"),
        ],
        "reference/test_methods_contract.py::test_defaults_are_those_of_their_sources": [
            ("Hyper", "Fraction(9, 10)", "Fraction(99, 100)", "β = 0.99 by default"),
        ],
    },
}
