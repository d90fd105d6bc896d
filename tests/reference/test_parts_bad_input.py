"""What procedures of `reference.parts` refuse, by name and with a reason, and that they have written to nothing then."""

import copy

import numpy as np
import pytest
from stepgauge import nets
from stepgauge.arrays import cast, map_arrays
from stepgauge.reference.parts import conjugate_gradient as cg
from stepgauge.reference.parts import cubic, descent, kronecker, lbfgs, tensor_normal, tensors
from stepgauge.reference.parts import levenberg_marquardt as lm

x, H, three = np.array([1.0, -2.0, 0.5]), np.diag([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])
NAN, INF = np.array([1.0, np.nan, 0.5]), np.array([1.0, np.inf, 0.5])
PROBLEM = {"g": x, "H": H, "d": three, "lam": 0.5}
POINT = {"eta": x, **PROBLEM}
CURVED = {name: POINT[name] for name in ("eta", "H", "d", "lam")}
ALONG = POINT | {"r": np.asarray(1.0)}
SYSTEM = {"G": lambda X: (H @ X[0],), "b": (x[:, None],), "iterations": 3, "progress": 0, "M": (three[:, None],)}
CHANGE = {"lam_LM": np.asarray(2.0), "rho": np.asarray(0.5), "eps": 0.25, "boost": 1.5, "drop": 0.5}
DESCENT = {"theta": x, "p": three, "alpha": 0.1, "gamma": 0.0}
MEMORY = {"n": 3, "p": 2, "like": x, "h": 1}
PAIR = {"H": lbfgs.empty(3, 2, x), "s": x, "y": x}
RATIO = {"f": np.asarray(1.0), "f_p": np.asarray(0.5), "foretold": np.asarray(0.25)}
NORMAL = {"G": H, "M": 0 * H, "U": (H, H)}
DRAW = {"M": 0 * H, "U": (H, H), "Z": H}
VIEWED = {"A": np.ones((2, 3, 1, 2)), "view": "3-way", "lead": 0}
BACK = {"A": np.ones((2, 3, 2)), "shape": (2, 3, 1, 2), "view": "3-way"}

VECTORS = {"g": [x[None], NAN, INF], "d": [x[None], NAN, INF], "eta": [x[:2], x[None], NAN, INF]}
MATRICES = [H[:2], H[None], np.full((3, 3), np.nan), H + np.triu(np.ones((3, 3)), 1), np.full((3, 3), np.inf)]
WEIGHTS = [-1, float("nan"), float("inf"), -0.5]

REFUSED = [
    *[(cubic.solution, PROBLEM, name, bad) for name in ("g", "d") for bad in VECTORS[name]],
    *[(cubic.step_sizes, PROBLEM, "lam", bad) for bad in WEIGHTS],
    *[(cubic.minimiser, PROBLEM, "H", bad) for bad in MATRICES],
    *[(function, POINT, name, bad) for function in (cubic.model,) for name in VECTORS for bad in VECTORS[name]],
    *[(function, given, "H", bad) for function, given in ((cubic.model, POINT), (cubic.stationarity, ALONG))
      for bad in MATRICES],
    *[(cubic.hessian, CURVED, name, bad) for name, wrong in {
        "eta": VECTORS["eta"], "H": MATRICES, "d": [*VECTORS["d"], -three], "lam": WEIGHTS}.items() for bad in wrong],
    *[(cubic.solution, PROBLEM, "d", x[:2]), (cubic.model, POINT, "d", x[:2])],
    *[(cubic.stationarity, ALONG, "r", np.asarray(bad)) for bad in (-1.0, np.nan, np.inf, [1.0])],
    *[(cubic.model, POINT, "d", -three), (cubic.model, POINT, "lam", -1)],
    *[(cg.conjugate_gradient, SYSTEM, "iterations", bad) for bad in (0, -1, 2.5)],
    *[(cg.conjugate_gradient, SYSTEM, "progress", bad) for bad in (-0.1, 1, float("nan"))],
    *[(cg.conjugate_gradient, SYSTEM, "b", (bad[:, None],)) for bad in (NAN, INF)],
    *[(cg.conjugate_gradient, SYSTEM, "M", (bad[:, None],)) for bad in (NAN, INF, 0 * x, -three, three[:2])],
    (cg.conjugate_gradient, SYSTEM, "M", ()),
    *[(lm.adapted, CHANGE, name, bad) for name, wrong in {
        "eps": [0, 0.5, -0.25, float("nan")], "boost": [1, 0.5, float("nan"), float("inf")], "drop": [0, 1, -0.5, float("nan")],
        "lam_LM": [np.asarray(bad) for bad in (0.0, -1.0, np.nan, np.inf)], "rho": [np.asarray(bad) for bad in (np.nan, np.inf)],
    }.items() for bad in wrong],
    *[(lm.adapted, CHANGE, name, bad) for name in ("lam_LM", "rho") for bad in (np.ones(2), np.ones(1))],
    *[(lm.reduction_ratio, RATIO, "f", np.asarray(bad)) for bad in (np.nan, np.inf)],
    *[(lm.reduction_ratio, RATIO, name, np.ones(2)) for name in RATIO],
    *[(descent.descend, DESCENT, name, bad) for name, wrong in {
        "p": [three[:2], three[None], three[:, None]], "alpha": [0, -0.1, float("nan")],
        "gamma": [-0.1, float("nan"), float("inf")],
    }.items() for bad in wrong],
    *[(lbfgs.empty, MEMORY, name, bad) for name, wrong in {
        "n": [0, -3, 2.0], "p": [0, -1, 2.5], "h": [0, -1, float("nan"), float("inf")]}.items() for bad in wrong],
    *[(lbfgs.updated, PAIR | {"H": memory}, name, bad) for memory in (PAIR["H"], H) for name in ("s", "y")
      for bad in (x[:2], x[None], x[:, None])],
    *[(tensor_normal.log_density, NORMAL, name, bad) for name, wrong in {
        "M": [H[:2], H[0]], "U": [(H,), (H, H[:2]), (H, H, H)]}.items() for bad in wrong],
    *[(tensor_normal.sample, DRAW, "U", bad) for bad in ((H,), (H[:2], H))],
    *[(tensor_normal.as_modes, VIEWED, name, bad) for name, wrong in {
        "view": ["rows", "", None], "lead": [-1, 4, 5, 1.0]}.items() for bad in wrong],
    *[(tensor_normal.from_modes, BACK, name, bad) for name, wrong in {"view": ["rows", ""], 
                                                                "A": [H, np.ones((2, 3, 3)), np.ones((3, 2, 2)), np.ones(12)],
                                                                "shape": [(), (2, 3, 0, 2), (2, 3, 1, 2, 1), (2.0, 6)]}.items()
      for bad in wrong],
    *[(tensor_normal.from_modes, {"A": np.ones(shape), "shape": shape, "view": "3-way"}, "A", np.ones(bad))
      for shape, bad in (((2, 2), (4,)), ((3, 2), (2, 3)), ((4,), (2, 2)))],
    (tensor_normal.from_modes, {"A": np.ones((9, 3, 2)), "shape": (2, 3, 3, 3), "view": "3-way"}, "A", np.ones((2, 9, 3))),
    *[(tensors.mat, {"A": np.ones((2, 3)), "i": 1}, "i", bad) for bad in (1.0, "1", None)],
]
"""(function, good arguments, the name of one, a bad value for it)."""


@pytest.mark.parametrize(("function", "given"), {(id(f), id(given)): (f, given) for f, given, *_ in REFUSED}.values())
def test_the_good_arguments_are_taken(function, given):
    function(**given)


@pytest.mark.parametrize(("function", "given", "name", "bad"), REFUSED)
def test_bad_arguments_are_refused_by_name_and_left_alone(function, given, name, bad):
    given = given | {name: bad}
    before = copy.deepcopy({key: value for key, value in given.items() if key != "G"})
    with pytest.raises(ValueError, match=rf"^{name}(\[0\])?: expected .+ because .+, got "):
        function(**given)
    for key, value in before.items():
        seen, now = [], []
        map_arrays(seen.append, value)
        map_arrays(now.append, given[key])
        assert [array.tobytes() for array in seen] == [array.tobytes() for array in now]


@pytest.mark.parametrize("bad", [np.full((3, 3), np.nan), np.full((3, 3), np.inf)])
@pytest.mark.parametrize(("function", "given"), [(tensor_normal.log_density, NORMAL), (tensor_normal.sample, DRAW)])
def test_a_distribution_of_numbers_that_are_not_finite_is_refused(function, given, bad):
    for name, value in given.items():
        with pytest.raises(ValueError, match=r"^G, M, U: expected finite numbers because .+, got "):
            function(**given | {name: (H, bad) if isinstance(value, tuple) else bad})


@pytest.mark.parametrize(("function", "given", "name"), [
    (cubic.solution, PROBLEM, "g"), (cubic.model, POINT, "eta"), (cubic.model, POINT, "H"), (cubic.hessian, CURVED, "d"),
    (cubic.stationarity, ALONG, "r"),
    (descent.descend, DESCENT, "p"), (cg.conjugate_gradient, SYSTEM, "M"), (lm.adapted, CHANGE, "rho"),
    (lm.reduction_ratio, RATIO, "f_p"), (tensor_normal.log_density, NORMAL, "U")])
@pytest.mark.parametrize("kind", ["float32", "fraction", "mpf"])
def test_mixed_arithmetics_are_refused(function, given, name, kind):
    with pytest.raises(TypeError):
        function(**given | {name: cast(given[name], kind)})


WHY_DATA = r"because the curvature starts from the data \(R Section 2\.8\.2\)"
NO_TENSORS = [
    (lambda: tensor_normal.as_modes([1.0], "3-way"), "A: expected an array because its axes are modes, got list"),
    (lambda: tensor_normal.from_modes([1.0], (1,), "vector"), "A: expected an array because a parameter of .* modes, got list"),
    *[(lambda shape=shape: tensor_normal.from_modes(H, shape, "3-way"),
       f"shape: expected one to four positive integers because a parameter has as many axes, got {shape}") for shape in (None, 9)],
    (lambda: tensors.mat([1.0], 1), "A: expected an array because its axes are modes, got list"),
    (lambda: tensors.mode_product(H, None, 1), "U: expected an array because mode 1 of A is as long, got NoneType"),
    (lambda: tensors.mode_products(H, None), "U: expected 2 matrices because A has as many modes, got None"),
    (lambda: tensors.mode_products([1.0], [H]), "A: expected an array because its axes are modes, got list"),
    (lambda: tensors.kron(H, [[1.0]]), "U: expected an array because blocks are matrices, got list"),
    (lambda: tensors.vec_columns([1.0]), "X: expected an array because columns are stacked, got list"),
    (lambda: kronecker.over_data(None, len), f"data: expected a Batch or several {WHY_DATA}, got None"),
    (lambda: kronecker.over_data([None], len), rf"data\[0\]: expected a Batch {WHY_DATA}, got NoneType"),
    (lambda: kronecker.over_data(H, len), rf"data\[0\]: expected a Batch {WHY_DATA}, got ndarray"),
    (lambda: kronecker.over_data(nets.Batch(None, H), len), "x: expected an array because a batch has examples, got NoneType"),
    (lambda: kronecker.over_data([nets.Batch(H, H), nets.Batch([1.0], H)], len), "x: expected an array because .*, got list"),
]


@pytest.mark.parametrize(("run", "sentence"), NO_TENSORS)
def test_what_is_no_array_is_refused_by_name(run, sentence):
    with pytest.raises(TypeError, match=rf"^{sentence}$"):
        run()


def test_an_example_without_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"^x: expected an axis of examples because they are counted, got shape \(\)$"):
        kronecker.over_data(nets.Batch(np.asarray(1.0), H), len)
