"""Second-order optimizers by a stranger: plain NumPy from the papers, by somebody who had seen neither the reference nor the judge.

A program is a generator `method(case, mistake, form)`. With no mistake it is right, in one or two forms; every mistake is one error
of the kind that people make, and `strangers_mistakes.py` says which quantity is the first that it makes wrong. The programs share
the passes of a multilayer perceptron and nothing else, and take nothing from stepgauge but the case.
"""

from strangers_groups import adam, grouped_newton
from strangers_kronecker import kbfgs, kbfgs20, kfac, kfac20
from strangers_subsampled import hessian_free, smw
from strangers_tensors import shampoo, tnt

PROGRAMS = {
    "kbfgs20": kbfgs20, "kbfgs": kbfgs, "kbfgs_l": kbfgs, "kfac20": kfac20, "kfac": kfac, "kfac_ef": kfac,
    "tnt": tnt, "tnt_ef": tnt, "shampoo": shampoo, "smw_gn": smw, "smw_ng": smw, "hessian_free": hessian_free,
    "grouped_newton": grouped_newton, "newton": grouped_newton, "cauchy": grouped_newton, "adam": adam,
}
