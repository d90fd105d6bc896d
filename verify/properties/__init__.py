"""Properties to test your own functions with: equalities that pin a result, and the papers' inequalities beside them.

    from stepgauge.verify.properties import damping
    damping.double_damping_pins(my_double_damping)                           # drawn inputs, exact rationals
    damping.double_damping_pins(my_double_damping, arithmetic="float64")     # the same inputs as float64 arrays
    damping.double_damping_pins(my_double_damping, s, y, H, mu1, mu2)        # an input of your own

Each is a check that raises AssertionError with the equation that fails, both sides and the inputs. In a Hypothesis test:

    @given(damping.double_damping_pins.inputs)
    def test_mine(inputs):
        damping.double_damping_pins(my_double_damping, *inputs)

Families: `broyden` (R Theorem 1), `damping` (R Section 2.3.1, Algorithms 3, 8, 11, Lemmas 4 to 6), `lbfgs` (R (2.12), (3.16)),
`kronecker` (R Lemma 8, Proposition 1), `smw` (R (5.6), (5.7)), `batches` (means over examples), `invariance` (W (1), (2), Appendix
E), `bits` (purity; powers of two, bit for bit). `PROPERTIES` maps "family.name" to all of them;
`run` is the call with all options; `strategies` draws the inputs.
"""

from . import batches, bits, broyden, damping, invariance, kronecker, lbfgs, smw, strategies
from .trial import Property, run

PROPERTIES: dict[str, Property] = {
    f"{family.__name__.rpartition('.')[2]}.{name}": prop
    for family in (broyden, damping, kronecker, smw, invariance, lbfgs, batches, bits)
    for name, prop in vars(family).items() if isinstance(prop, Property)
}

__all__ = ["PROPERTIES", "Property", "batches", "bits", "broyden", "damping", "invariance", "kronecker", "lbfgs", "run", "smw",
           "strategies"]
