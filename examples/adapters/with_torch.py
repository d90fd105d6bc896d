"""K-FAC (R Algorithm 12) on torch modules, with hooks for the Trace quantities: a candidate that shows every line.

    stepgauge check kfac examples/adapters/with_torch.py:candidate --case plain --case labels --case images
"""

import numpy as np
from stepgauge.verify.adapters.torch import recorded, torch_net


def factors(net, case, batch):
    """Ω and Γ of a batch, by layer: sums over positions of a aᵀ, means over positions of g gᵀ, of drawn targets."""
    seen = recorded(net, case.model, batch.x, batch.y_sampled)
    N, P = len(batch.x), [a.shape[1] for a in seen.a]
    return ([np.einsum("npi,npj->ij", a, a) / N for a in seen.a],
            [np.einsum("npi,npj->ij", g, g) / (N * p) for g, p in zip(seen.g, P, strict=True)])


def inverses(Omega, Gamma, lam):
    """π, (Ω + π√λ I)⁻¹ and (Γ + √λ/π I)⁻¹ of every layer; π is 1 where Γ = 0."""
    root, pi = np.sqrt(Omega[0].dtype.type(lam)), []
    for O, G in zip(Omega, Gamma, strict=True):
        pi.append(np.sqrt(np.trace(O) * len(G) / np.trace(G) / len(O)) if G.any() else np.ones((), G.dtype))

    def inverse(M, damping):
        return np.linalg.inv(M + damping * np.eye(len(M), dtype=M.dtype))

    return {"pi": pi, "H_Omega": [inverse(O, x * root) for O, x in zip(Omega, pi, strict=True)],
            "H_Gamma": [inverse(G, root / x) for G, x in zip(Gamma, pi, strict=True)]}


def joined(net, of):
    """W̄ = (W, b), or its gradient, by layer."""
    return [np.concatenate([of(m.weight).reshape(len(m.bias), -1).numpy(), of(m.bias).numpy()[:, None]], axis=1)
            for m in net if hasattr(m, "weight")]


def candidate(case):
    h, net = case.hyper, torch_net(case.model, case.params)
    of_batches = [factors(net, case, batch) for batch in case.data]
    share = [len(batch.x) / sum(len(batch.x) for batch in case.data) for batch in case.data]
    Omega, Gamma = ([sum(w * layer for w, layer in zip(share, layers, strict=True)).astype(case.dtype)
                     for layers in zip(*of_data, strict=True)] for of_data in zip(*of_batches, strict=True))
    state = {"Omega": Omega, "Gamma": Gamma, **inverses(Omega, Gamma, h.lam)}
    DW_h = [0 * W for W in joined(net, lambda p: p.data)]
    for k, batch in enumerate(case.batches, start=1):
        new = factors(net, case, batch)                                     # before the update, as the targets were drawn
        recorded(net, case.model, batch.x, batch.y)
        DW = joined(net, lambda p: p.grad)
        DW_h = [h.beta * old + D for old, D in zip(DW_h, DW, strict=True)]
        p = [G @ D @ O for G, D, O in zip(state["H_Gamma"], DW_h, state["H_Omega"], strict=True)]
        for m, step in zip([m for m in net if hasattr(m, "weight")], p, strict=True):
            m.weight.data -= h.alpha * m.weight.new_tensor(step[:, :-1]).reshape(m.weight.shape)
            m.bias.data -= h.alpha * m.bias.new_tensor(step[:, -1])
        if k % h.T_1 == 0:
            for name, factor in zip(("Omega", "Gamma"), new, strict=True):
                state[name] = [h.beta * old + (1 - h.beta) * x for old, x in zip(state[name], factor, strict=True)]
        state |= inverses(state["Omega"], state["Gamma"], h.lam) if k % h.T_2 == 0 else {"pi": []}
        yield {"W": [m.weight.data.numpy() for m in net if hasattr(m, "weight")],
               "b": [m.bias.data.numpy() for m in net if hasattr(m, "bias")], "DW": DW, "DW_h": DW_h, "p": p, **state}
