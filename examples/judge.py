"""The main job: judge third-party optimizers on real data, then two planted mistakes, and print the verdicts.

    make judge            or            python examples/judge.py [--quick]
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from autograd.misc import optimizers
from rich.console import Console
from rich.table import Table
from stepgauge import verify
from stepgauge.verify.adapters.gradients import callback_optimizer
from stepgauge.verify.adapters.torch import torch_optimizer
from stepgauge.verify.cli import load

HERE = Path(__file__).parent

AUTOGRAD = [
    ("autograd.misc.optimizers.sgd", "sgd_m", callback_optimizer(
        optimizers.sgd, step_size=lambda h: h.alpha, mass=lambda h: h.beta)),
    ("autograd.misc.optimizers.rmsprop", "rmsprop", callback_optimizer(
        optimizers.rmsprop, step_size=lambda h: h.alpha, gamma=lambda h: h.beta2, eps=lambda h: h.eps)),
    ("autograd.misc.optimizers.adam", "adam", callback_optimizer(
        optimizers.adam, step_size=lambda h: h.alpha, b1=lambda h: h.beta1, b2=lambda h: h.beta2, eps=lambda h: h.eps)),
]


def torch_peers():
    import torch

    return [
        ("torch.optim.SGD", "sgd_m", torch_optimizer(
            lambda tensors, h: torch.optim.SGD(tensors, lr=h.alpha, momentum=h.beta), {"momentum_buffer": "g_h"})),
        ("torch.optim.RMSprop", "rmsprop", torch_optimizer(
            lambda tensors, h: torch.optim.RMSprop(tensors, lr=h.alpha, alpha=h.beta2, eps=h.eps), {"square_avg": "v"})),
        ("torch.optim.Adam", "adam", torch_optimizer(
            lambda tensors, h: torch.optim.Adam(tensors, lr=h.alpha, betas=(h.beta1, h.beta2), eps=h.eps),
            {"exp_avg": "m", "exp_avg_sq": "v"})),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="real data only, without the small awkward cases")
    cases = ["digits"] if parser.parse_args().quick else None
    console = Console(width=None if sys.stdout.isatty() else 128, highlight=False)

    with_torch = importlib.util.find_spec("torch") is not None
    peers = AUTOGRAD + (torch_peers() if with_torch else [])
    summary = Table("code", "judged as", "verdict", "how it differs from the text, if it does", title_justify="left",
                    title="Third-party code on 1,797 handwritten digits" + ("" if cases else " and eight awkward small cases"))
    verdicts = []
    for name, method, candidate in peers:
        report = verify.check(method, candidate, cases)
        summary.add_row(name, method, report.verdict, "; ".join(report.explanations) or "not at all")
        verdicts.append(report.ok)
    console.print(summary)
    if not with_torch:
        console.print("torch is not installed here: torch.optim.SGD, RMSprop and Adam were not judged.")

    console.print("\nTwo planted mistakes, which must be found:\n")
    planted = [verify.check("adam", load(f"{HERE / 'wrong_adam.py'}:candidate"), cases),
               verify.check("damping.double_damping", load(f"{HERE / 'wrong_damping.py'}:candidate"))]
    for report in planted:
        console.print(report)
    found = [report.divergence is not None and report.divergence.line for report in planted]
    return 0 if all(verdicts) and found == ["KB1.4", "R3.3"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
