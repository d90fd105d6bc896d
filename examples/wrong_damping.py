"""A planted mistake: double damping with the wrong sign in Powell's interpolation (R Algorithm 3, line 3).

    stepgauge check damping.double_damping examples/wrong_damping.py:candidate
"""


def candidate(s, y, H, mu1, mu2):
    Hy = H @ y
    theta1 = (1 - mu1) * (y @ Hy) / (y @ Hy - s @ y) if s @ y < mu1 * (y @ Hy) else 1
    s_t = theta1 * s - (1 - theta1) * Hy                             # the mistake: − for +
    ss, sy = s_t @ s_t, s_t @ y
    theta2 = (1 - mu2) * ss / (ss - sy) if sy < mu2 * ss else 1
    return s_t, theta2 * y + (1 - theta2) * s_t
