"""Cases and trajectories in memory and as folders: round trips to the bit, and folders that are refused."""

import dataclasses
import io
import itertools
import json
import os
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from stepgauge import nets, verify
from stepgauge.reference import METHODS
from stepgauge.reference.parts.descent import StepDecay
from stepgauge.verify import Case, Layout
from stepgauge.verify.cases import HYPER, SAMPLED_TWICE, SUBSAMPLED, TRAPS, optional, suite

REAL = mpmath.MPContext()
REAL.prec = 200
FIRST_ORDER = ["sgd_m", "adam", "rmsprop"]


def same(x, y):
    """Equal to the bit, with types, shapes and dtypes, lists and tuples apart."""
    if isinstance(x, np.ndarray):
        return isinstance(y, np.ndarray) and (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())
    if isinstance(x, tuple | list):
        return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
    if dataclasses.is_dataclass(x):
        return type(x) is type(y) and all(same(getattr(x, f.name), getattr(y, f.name)) for f in dataclasses.fields(x))
    if isinstance(x, dict):
        return x.keys() == y.keys() and all(same(x[name], y[name]) for name in x)
    return type(x) is type(y) and x == y


@pytest.mark.parametrize("method", METHODS)
def test_every_case_survives_the_folder_to_the_bit(method, tmp_path):
    names = (*suite(method), *optional(method)) if method == "adam" else [name for name in suite(method) if name != "digits"]
    for case in verify.cases(method, names, "float32" if method == "sgd_m" else "float64"):
        folder = tmp_path / case.name
        case.save(folder)
        assert same(Case.load(folder), case)
        assert same(Case.load(str(folder)), case)


def sampled_case(tmp_path):
    """A case with all that a batch can hold, layouts and schedules."""
    case, = verify.cases("adam", ["labels"])
    rng = np.random.default_rng(0)
    first, second, *others = case.batches
    first = first._replace(y_sampled=rng.integers(0, 2, 7), curvature=np.array([0, 2, 3]))
    second = second._replace(curvature=others[0]._replace(y_sampled=rng.integers(0, 2, 7)), y_sampled=rng.integers(0, 2, 5))
    case = dataclasses.replace(case, batches=(first, second, *others), data=(second,), layout=Layout("in_out", "column"),
                               hyper=case.hyper._replace(alpha=StepDecay(0.1, 0.5, 3), eta=1e-3, gamma=0.25))
    case.save(tmp_path / "all")
    return case


def test_sampled_targets_curvature_schedules_and_layouts_survive(tmp_path):
    case = sampled_case(tmp_path)
    loaded = Case.load(tmp_path / "all")
    assert same(loaded, case)
    assert loaded.hyper.alpha == StepDecay(0.1, 0.5, 3)
    assert loaded.batches[0].curvature.tolist() == [0, 2, 3]
    assert same(loaded.batches[1].curvature, case.batches[1].curvature)
    assert {file.suffix for file in (tmp_path / "all").iterdir()} == {".json", ".npy"}
    for file in (tmp_path / "all").glob("*.npy"):
        np.load(file, allow_pickle=False)


def test_one_batch_of_data_comes_back_as_a_tuple_of_one(tmp_path):
    case, = verify.cases("rmsprop", ["plain"])
    dataclasses.replace(case, data=case.data[0]).save(tmp_path)
    assert same(Case.load(tmp_path).data, (case.data[0],))


def test_fractions_among_the_hyper_parameters_become_floats(tmp_path):
    case, = verify.cases("adam", ["plain"])
    dataclasses.replace(case, hyper=METHODS["adam"].Hyper(alpha=StepDecay(Fraction(1, 3), Fraction(1, 10), 4))).save(tmp_path)
    hyper = Case.load(tmp_path).hyper
    assert hyper == (StepDecay(1 / 3, 0.1, 4), 0.9, 0.999, 1e-8, 0, 0)
    assert all(type(value) in (float, int, StepDecay) for value in hyper)


def test_steps_survive_the_folder_to_the_bit(mine, tmp_path):
    for dtype in ("float64", "float32"):
        case, = verify.cases("adam", ["labels"], dtype)
        steps = list(mine(start=True)(case))
        verify.write_steps(tmp_path / dtype, steps)
        assert same(
            verify.read_steps(tmp_path / dtype), [{name: list(arrays) for name, arrays in step.items()} for step in steps]
        )


def test_steps_may_hold_nan_single_arrays_and_nothing(tmp_path):
    steps = [{"W": [np.array([[np.nan, np.inf]])], "k": np.array(3)}, {"W": []}]
    verify.write_steps(tmp_path, steps)
    assert same(verify.read_steps(tmp_path), steps)


IMAGES = {
    "vgg": nets.small_vgg((2, 5, 4), 3),
    "resnet": nets.small_resnet((1, 5, 6), 3),
    "all fields": nets.cnn((2, 6, 5), (
        nets.Conv2d(3, (3, 2), (2, 1), "valid"), nets.BatchNorm(0.25), nets.MaxPool((2, 1), None), nets.AvgPool(1, (1, 2)),
        nets.Residual((nets.Residual((nets.BatchNorm(Fraction(1, 3)),)), nets.Act("relu")), (nets.Conv2d(3, 1), nets.BatchNorm(2))),
        nets.Flatten(), nets.Dense(3)), "softmax_ce"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", IMAGES.values(), ids=IMAGES)
def test_convolutional_cases_survive_the_folder_to_the_bit(model, dtype, tmp_path):
    rng = np.random.default_rng(5)
    batches = tuple(nets.Batch(rng.standard_normal((4, *model.input_shape)).astype(dtype), rng.integers(0, 3, 4)) for _ in range(2))
    params = tuple(type(layer)(*(tensor.astype(dtype) for tensor in layer)) for layer in nets.init(model, 0))
    case = Case("images", "adam", model, params, METHODS["adam"].Hyper(0.1, 0.9, 0.99, 0.1, 0.0, 0.0), batches[:1], batches, dtype)
    case.save(tmp_path)
    loaded = Case.load(tmp_path)
    assert same(loaded, case)
    assert loaded.model == model
    assert [type(layer) for layer in loaded.params] == [type(layer) for layer in params]
    loss, grad = loaded.loss_and_grad([tuple(layer) for layer in params], batches[0])
    assert np.isfinite(loss)
    assert [type(layer) for layer in grad] == [type(layer) for layer in params]


@pytest.mark.parametrize(("layers", "sentence"), [
    ([["Conv2d", 2, 4, 1, "same"], ["Flatten"], ["Dense", 3]], r"layers\[0\]\.kernel: expected odd sizes because .*, got 4"),
    ([["Conv2d", 2, [3], 1, "same"], ["Flatten"], ["Dense", 3]], r"layers\[0\]\.kernel: expected a positive integer or two .*"),
    ([["Conv2d", 2, 3, "1/0"], ["Flatten"], ["Dense", 3]], r"case\.json: expected the fields .* got ZeroDivisionError: .*"),
    ([["Conv2d", 2, 3, "a/b"], ["Flatten"], ["Dense", 3]], r"Invalid literal for Fraction: 'a/b'"),
    ([["Flatten"], ["Dense", 3], ["BatchNorm", "-1/2"]], r"layers\[2\]\.eps: expected a positive number because .*"),
    ([["Residual", [["Dense", 3]], []]], r"layers\[0\]\.layers\[0\]: expected a vector because .*"),
    ([["Residual", "Dense", []], ["Flatten"], ["Dense", 3]], r"layers\[0\]: expected two tuples, .*"),
    ([["Sequential", []]], r"case\.json: expected the fields .* got KeyError: 'Sequential'"),
    ([[]], r"layers\[0\]: expected a layer record .*|case\.json: expected the fields .*"),
])
def test_a_malformed_net_is_refused(layers, sentence, tmp_path):
    model = IMAGES["vgg"]
    batch = nets.Batch(np.zeros((2, *model.input_shape)), np.array([0, 1]))
    Case("images", "sgd_m", model, nets.init(model, 0), METHODS["sgd_m"].Hyper(0.1, 0.9), batch, (batch,)).save(tmp_path)
    edited(tmp_path, lambda text: put(text, "model", "layers", layers))
    with pytest.raises(ValueError, match=rf"^(?:{sentence})$"):
        Case.load(tmp_path)


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "case"
    verify.cases("adam", ["plain"])[0].save(inside)
    np.save(tmp_path / "outside.npy", np.zeros((4, 3)))
    return inside


def edited(folder, edit):
    text = json.loads((folder / "case.json").read_text())
    changed = edit(text)
    (folder / "case.json").write_text(json.dumps(text if changed is None else changed))


def put(text, *path):
    """Set text[path[0]][path[1]]… to the last of `path`."""
    *path, name, value = path
    for part in path:
        text = text[part]
    text[name] = value


def drop(text, *path):
    *path, name = path
    for part in path:
        text = text[part]
    del text[name]


FIELDS = {
    "no object": (lambda t: [], "case.json"),
    "a number": (lambda t: 5, "case.json"),
    "a string": (lambda t: "case", "case.json"),
    "null": (lambda t: put(t, "params", None), "case.json"),
    "no format": (lambda t: drop(t, "format"), "case.json.*format"),
    "another format": (lambda t: put(t, "format", "stepgauge case 2"), "case.json: format: expected 'stepgauge case 1'"),
    "no method": (lambda t: drop(t, "method"), "case.json.*method"),
    "unknown method": (lambda t: put(t, "method", "kfak"), "case.json: method: expected one of sgd_m.*'kfak'"),
    "a method that is a list": (lambda t: put(t, "method", []), "case.json"),
    "no dtype": (lambda t: drop(t, "dtype"), "case.json.*dtype"),
    "another dtype": (lambda t: put(t, "dtype", "float32"), r"params_0_W.npy: expected float32"),
    "float16": (lambda t: put(t, "dtype", "float16"), "expected float16|float32 or float64"),
    "a name that is none": (lambda t: put(t, "name", 5), "name: expected a string"),
    "no layout": (lambda t: drop(t, "layout"), "case.json.*layout"),
    "unknown kernel": (lambda t: put(t, "layout", "kernel", "hwio"), "layout: expected"),
    "unknown bias": (lambda t: put(t, "layout", "bias", None), "layout: expected"),
    "unknown field of the layout": (lambda t: put(t, "layout", "order", "C"), "case.json.*order"),
    "no model": (lambda t: drop(t, "model"), "case.json.*model"),
    "unknown loss": (lambda t: put(t, "model", "loss", "hinge"), "loss: expected one of mse, .*hinge"),
    "unknown layer": (lambda t: put(t, "model", "layers", 0, ["Conv9", 4]), "case.json.*Conv9"),
    "an empty layer": (lambda t: put(t, "model", "layers", 0, []), "case.json"),
    "unknown activation": (lambda t: put(t, "model", "layers", 1, ["Act", "relu7"]), r"layers\[1\].name: expected one of .*relu7"),
    "another width": (lambda t: put(t, "model", "layers", 0, ["Dense", 5]), r"params\[0\].W: expected shape"),
    "a width that is a string": (lambda t: put(t, "model", "layers", 0, ["Dense", "4"]), r"layers\[0\].width: expected .*'4'"),
    "a width that is no integer": (lambda t: put(t, "model", "layers", 0, ["Dense", 4.0]), r"layers\[0\].width: expected .*4\.0"),
    "no layers": (lambda t: put(t, "model", "layers", []), "layers: expected at least one with parameters"),
    "another input": (lambda t: put(t, "model", "input_shape", [5]), r"params\[0\].W: expected shape"),
    "no input": (lambda t: put(t, "model", "input_shape", 3), "case.json"),
    "unknown hyper-parameter": (lambda t: put(t, "hyper", "beta3", 0.5), "case.json.*beta3"),
    "hyper as a list": (lambda t: put(t, "hyper", [0.1]), "case.json"),
    "alpha negative": (lambda t: put(t, "hyper", "alpha", -0.1), "alpha: expected a positive number"),
    "alpha nan": (lambda t: put(t, "hyper", "alpha", float("nan")), "alpha: expected a positive number"),
    "alpha a string": (lambda t: put(t, "hyper", "alpha", "0.1"), "alpha: expected a positive number .*, got '0.1'"),
    "an unknown schedule": (lambda t: put(t, "hyper", "alpha", {"Cosine": {}}), "case.json.*StepDecay"),
    "half a schedule": (lambda t: put(t, "hyper", "alpha", {"StepDecay": {"alpha": 0.1}}), "case.json.*factor"),
    "a schedule of period 0": (
        lambda t: put(t, "hyper", "alpha", {"StepDecay": {"alpha": 0.1, "factor": 1.0, "period": 0}}),
        "period: expected",
    ),
    "beta1 = 1": (lambda t: put(t, "hyper", "beta1", 1.0), "beta1: expected"),
    "eps = 0": (lambda t: put(t, "hyper", "eps", 0.0), "eps: expected"),
    "no batches": (lambda t: put(t, "batches", []), "batches: expected at least one"),
    "a batch without y": (lambda t: drop(t, "batches", 0, "y"), "case.json.*'y'"),
    "a batch that is a name": (lambda t: put(t, "batches", 0, "batch_0_x.npy"), "case.json"),
    "unknown field of a batch": (lambda t: put(t, "batches", 0, "weights", "batch_0_y.npy"), "case.json.*weights"),
    "curvature that is a number": (lambda t: put(t, "batches", 0, "curvature", 3), "file: expected the plain name"),
    "curvature that is no index": (lambda t: put(t, "batches", 0, "curvature", "batch_0_y.npy"), "curvature: expected"),
    "one layer missing": (lambda t: drop(t, "params", 1), "params: expected 2 layers"),
    "a layer without b": (lambda t: drop(t, "params", 0, "b"), "case.json.*'b'"),
    "W and b exchanged": (
        lambda t: put(t, "params", 0, {"W": "params_0_b.npy", "b": "params_0_W.npy"}),
        r"params\[0\].W: expected shape",
    ),
}


@pytest.mark.parametrize("what", FIELDS)
def test_a_malformed_case_file_is_refused_with_the_field(folder, what):
    edit, message = FIELDS[what]
    edited(folder, edit)
    with pytest.raises(ValueError, match=message):
        Case.load(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.npy",
        "..",
        ".",
        "",
        "../case/params_0_W.npy",
        "./params_0_W.npy",
        "a/../params_0_W.npy",
        "params_0_W.npy/",
        "a\0b",
        5,
        None,
        ["params_0_W.npy"],
        {"a": 1},
        "ABSOLUTE",
        "LINK",
    ],
)
def test_only_plain_files_of_the_folder_are_read(folder, name, monkeypatch):
    if name == "ABSOLUTE":
        name = str(folder.parent / "outside.npy")
    if name == "LINK":
        name = "link.npy"
        os.symlink(folder.parent / "outside.npy", folder / name)
    opened = []
    real = np.lib.format.read_array
    monkeypatch.setattr(np.lib.format, "read_array", lambda file, **how: opened.append(file.name) or real(file, **how))
    edited(folder, lambda text: put(text, "params", 0, "W", name))
    with pytest.raises(ValueError, match=r"expected the plain name of a file in the folder|expected a \.npy file"):
        Case.load(folder)
    (folder / "steps.json").write_text(json.dumps([{"W": [name]}, {"W": name}]))
    with pytest.raises(ValueError, match=r"expected the plain name of a file in the folder|expected a \.npy file"):
        verify.read_steps(folder)
    assert opened == []


class _Executed:
    def __reduce__(self):
        return (open, (os.environ["STEPGAUGE_TEST_MARK"], "w"))


def test_nothing_in_a_folder_is_executed(folder, monkeypatch):
    mark = folder.parent / "executed"
    monkeypatch.setenv("STEPGAUGE_TEST_MARK", str(mark))
    payload = np.empty((4, 3), dtype=object)
    payload[...] = _Executed()
    for name in ("params_0_W.npy", "batch_0_y.npy"):
        kept = (folder / name).read_bytes()
        np.save(folder / name, payload, allow_pickle=True)
        with pytest.raises(ValueError, match=rf"{name}: expected a \.npy file.*Object arrays cannot be loaded"):
            Case.load(folder)
        (folder / name).write_bytes(kept)
    import pickle
    (folder / "params_0_W.npy").write_bytes(pickle.dumps(payload))
    (folder / "steps.json").write_text('[{"W": ["params_0_W.npy"]}]')
    for read in (Case.load, verify.read_steps):
        with pytest.raises(ValueError, match=r"params_0_W\.npy: expected a \.npy file"):
            read(folder)
    assert not mark.exists()


def header(shape, descr="'<f8'"):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(11 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive():
    stream = io.BytesIO()
    np.savez(stream, np.zeros(3))
    return stream.getvalue()


CONTENTS = {
    "nothing": b"",
    "text": b"1.0, 2.0",
    "half a file": saved(np.zeros((4, 3)))[:100],
    "half a header": saved(np.zeros((4, 3)))[:20],
    "an archive": archive(),
    "a promise of petabytes": header((10**14, 3)) + b"123",
    "a header with code": header("__import__('os')"),
    "negative lengths": header((-4, 3)),
    "truth values": saved(np.zeros((4, 3), bool)),
    "complex numbers": saved(np.zeros((4, 3), complex)),
    "float16": saved(np.zeros((4, 3), np.float16)),
    "text array": saved(np.full((4, 3), "a")),
    "records": saved(np.zeros((4, 3), [("a", "f8")])),
    "dates": saved(np.zeros((4, 3), "M8[s]")),
    "float32": saved(np.zeros((4, 3), np.float32)),
    "nan": saved(np.full((4, 3), np.nan)),
    "inf": saved(np.full((4, 3), -np.inf)),
    "long doubles": saved(np.zeros((4, 3), np.longdouble)),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_a_malformed_array_is_refused_with_its_file(folder, what):
    for name in ("params_0_W.npy", "batch_2_x.npy", "data_1_y.npy"):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(CONTENTS[what])
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            Case.load(folder)
        (folder / name).write_bytes(kept)
    assert Case.load(folder).name == "plain"


@pytest.mark.parametrize(("name", "array", "message"), [
    ("params_0_W.npy", np.zeros((3, 4)), r"params\[0\].W: expected shape \(4, 3\)"),
    ("params_0_W.npy", np.zeros(12), r"params\[0\].W: expected shape \(4, 3\)"),
    ("params_0_W.npy", np.zeros((4, 3), int), r"params\[0\].W: expected float64"),
    ("params_1_b.npy", np.zeros(3), r"params\[1\].b: expected shape \(2,\)"),
    ("batch_1_x.npy", np.zeros((5, 4)), r"x: expected shape \('N', 3\)"),
    ("batch_1_x.npy", np.zeros((0, 3)), "x: expected at least one example"),
    ("batch_1_y.npy", np.zeros((4, 2)), r"y: expected shape \(3, 2\)"),
    ("data_0_y.npy", np.zeros((5, 3)), r"y: expected shape \(5, 2\)"),
])
def test_a_wrong_shape_is_refused_with_its_field(folder, name, array, message):
    np.save(folder / name, array)
    with pytest.raises(ValueError, match=message):
        Case.load(folder)


def test_missing_and_unreadable_files_are_named(folder, tmp_path):
    for name in ("params_1_W.npy", "batch_3_y.npy", "data_2_x.npy"):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            Case.load(folder)
        (folder / name).write_bytes(kept)
    for content in (b"", b'{"format": "stepgauge case 1", ', b"\xff\xfe\x00", b"[" * 100_000, b"nothing"):
        (folder / "case.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"^case.json: expected a JSON file"):
            Case.load(folder)
    (folder / "case.json").unlink()
    for place in (folder, tmp_path / "nowhere", tmp_path / "outside.npy"):
        with pytest.raises(ValueError, match=r"^case.json: expected a JSON file"):
            Case.load(place)
        with pytest.raises(ValueError, match=r"^steps.json: expected a JSON file"):
            verify.read_steps(place)


@pytest.mark.parametrize("text", ["{}", "5", "null", '"W"', "[1]", "[[]]", '[{"W": []}, null]'])
def test_a_trajectory_is_a_list_of_objects(tmp_path, text):
    (tmp_path / "steps.json").write_text(text)
    with pytest.raises(ValueError, match=r"steps\.json: expected a list with one object a step"):
        verify.read_steps(tmp_path)


@pytest.mark.parametrize("what", [name for name in CONTENTS if name not in ("float32", "nan", "inf")])
def test_a_malformed_array_of_a_trajectory_is_refused_with_its_file(tmp_path, what):
    (tmp_path / "w.npy").write_bytes(CONTENTS[what])
    (tmp_path / "steps.json").write_text('[{"W": ["w.npy"]}]')
    with pytest.raises(ValueError, match=r"^w.npy: expected"):
        verify.read_steps(tmp_path)


PHI = {
    "linear": lambda h: h,
    "relu": lambda h: h if h > 0 else REAL.mpf(0),
    "tanh": REAL.tanh,
    "logistic": lambda h: 1 / (1 + REAL.exp(-h)),
    "elu": lambda h: h if h > 0 else REAL.expm1(h),
}


def mean_loss(case, theta, batch):
    """The loss of a case with every sum written out, in 200 bits."""
    acts = [record.name for record in case.model.layers if hasattr(record, "name")]
    total = REAL.mpf(0)
    for x, y in zip(batch.x, batch.y, strict=True):
        a = [REAL.mpf(float(t)) for t in x]
        for l, act in enumerate(acts):
            W, b = theta[2 * l], theta[2 * l + 1]
            a = [PHI[act](sum((w * t for w, t in zip(row, a, strict=True)), b_i)) for row, b_i in zip(W, b, strict=True)]
        if case.model.loss == "mse":
            total += sum((t - float(u)) ** 2 for t, u in zip(a, y, strict=True)) / 2
        elif case.model.loss == "bce":
            total += sum(REAL.log(1 + REAL.exp(t)) - float(u) * t for t, u in zip(a, y, strict=True))
        else:
            total += REAL.log(sum(REAL.exp(t) for t in a)) - a[int(y)]
    squares = sum(sum(t * t for row in np.atleast_2d(tensor) for t in row) for tensor in theta)
    return total / len(batch.x) + REAL.mpf(case.hyper.eta) / 2 * squares


@pytest.mark.parametrize("name", ["plain", "labels", "probabilities", "dead", "narrow", "degenerate", "penalty"])
def test_loss_and_gradient_are_those_of_finite_differences_in_200_bits(name, my_gradient):
    case, = verify.cases("adam", [name])
    batch = case.batches[1]
    loss, grad = case.loss_and_grad(case.params, batch)
    assert isinstance(loss, float)
    assert all(isinstance(layer, nets.Layer) for layer in grad)
    theta = [np.frompyfunc(lambda t: REAL.mpf(float(t)), 1, 1)(tensor) for layer in case.params for tensor in layer]
    exact = mean_loss(case, theta, batch)
    assert abs(REAL.mpf(loss) - exact) <= 1e-13 * (1 + abs(exact))
    h = REAL.mpf(2) ** -60
    rng = np.random.default_rng(1)
    found = [tensor for layer in grad for tensor in layer]
    for tensor, g in zip(theta, found, strict=True):
        for flat in rng.choice(g.size, min(g.size, 4), replace=False):
            entry = np.unravel_index(flat, g.shape)
            kept = tensor[entry]
            tensor[entry] = kept + h
            above = mean_loss(case, theta, batch)
            tensor[entry] = kept - h
            below = mean_loss(case, theta, batch)
            tensor[entry] = kept
            assert abs((above - below) / (2 * h) - float(g[entry])) <= 1e-13 * (1 + np.abs(g).max())
    for g, own in zip(found, my_gradient(case, [t for layer in case.params for t in layer], batch), strict=True):
        assert np.abs(g - own).max() <= 1e-13 * (1 + np.abs(g).max())


def test_loss_and_gradient_take_pairs_and_leave_them_alone():
    for dtype in ("float64", "float32"):
        case, = verify.cases("sgd_m", ["penalty"], dtype)
        pairs = [(layer.W, layer.b) for layer in case.params]
        before = [tensor.tobytes() for pair in pairs for tensor in pair]
        loss, grad = case.loss_and_grad(pairs, case.batches[0])
        assert (loss, [tensor.dtype for layer in grad for tensor in layer]) == (
            case.loss_and_grad(case.params, case.batches[0])[0],
            [np.dtype(dtype)] * 4,
        )
        assert before == [tensor.tobytes() for pair in pairs for tensor in pair]
        with pytest.raises(ValueError, match=r"params\[0\].W: expected shape"):
            case.loss_and_grad([(layer.W.T, layer.b) for layer in case.params], case.batches[0])


def test_a_case_in_another_dtype_has_the_same_numbers():
    for case in verify.cases("adam"):
        small = case.in_dtype("float32")
        assert (small.dtype, small.unit_roundoff, case.unit_roundoff) == ("float32", 2.0**-24, 2.0**-53)
        assert same(small.in_dtype("float64"), case)                       # suites hold float32 numbers, so nothing is rounded
        for tensor, wide in zip(nets.tensors(small.params), nets.tensors(case.params), strict=True):
            assert tensor.dtype == np.float32
            assert (tensor == wide).all()
        for batch in (*small.batches, *small.data):
            assert batch.x.dtype == np.float32
            assert batch.y.dtype.kind == "i" or batch.y.dtype == np.float32
        assert small.hyper == case.hyper
        assert (small.steps, small.name, small.method, small.model) == (case.steps, case.name, case.method, case.model)
        assert same(verify.cases("adam", [case.name], "float32")[0], small)


def test_suites_are_made_the_same_every_time_and_none_shares_arrays():
    for method in FIRST_ORDER:
        for one, other in zip(verify.cases(method), verify.cases(method), strict=True):
            assert same(one, other)
            assert not any(
                np.shares_memory(a, b) for a, b in zip(nets.tensors(one.params), nets.tensors(other.params), strict=True)
            )
            one.check()
    assert [case.name for case in verify.cases("adam")] == list(TRAPS)
    assert [case.name for case in verify.cases("adam", ["schedule", "plain"])] == ["schedule", "plain"]


def test_every_case_sets_the_trap_that_its_line_claims():
    cases = {case.name: case for case in verify.cases("sgd_m", (*TRAPS, *optional("sgd_m")))}
    outputs = {name: [nets.forward(case.model, case.params, batch.x) for batch in case.batches] for name, case in cases.items()}

    widths = [3, 4, 2]
    assert cases["plain"].params[0].W.shape == (4, 3)
    assert cases["plain"].params[1].W.shape == (2, 4)
    assert len({len(cases["plain"].batches[0].x), *widths}) == 4
    assert all(batch.y.dtype.kind == "i" for batch in cases["labels"].batches)
    assert len(cases["labels"].params) == 3
    assert all(((batch.y > 0) & (batch.y < 1)).all() for batch in cases["probabilities"].batches)
    assert any(record == nets.Act("elu") for record in cases["probabilities"].model.layers)
    dead = cases["dead"]
    for tape, batch in zip(outputs["dead"], dead.batches, strict=True):
        assert (tape.h[0][..., 1] < 0).all()
        _, grad = dead.loss_and_grad(dead.params, batch)
        assert (grad[0].W[1] == 0).all()
        assert grad[0].b[1] == 0
        assert (grad[1].W[:, 1] == 0).all()
        assert (grad[0].W != 0).any()
    assert {tensor.size for tensor in nets.tensors(cases["narrow"].params)} == {1}
    assert {len(batch.x) for batch in cases["narrow"].batches} == {1}
    for batch in cases["degenerate"].batches:
        assert np.linalg.matrix_rank(np.column_stack([batch.x, np.ones(len(batch.x))])) < min(len(batch.x), 5)
        assert (batch.x[:, 0] == 1).all()
    for tape in outputs["large"]:
        z = np.sort(tape.output, axis=1)
        assert 100 < np.abs(z).max() < 2000
        assert np.exp(z[:, -2] - z[:, -1]).min() < 1e-16
    assert cases["penalty"].hyper.eta > 0
    assert {name for name, case in cases.items() if case.hyper.eta} == {"penalty"}
    assert {name for name, case in cases.items() if case.hyper.gamma} == {"decay"}
    assert {name for name, case in cases.items() if isinstance(case.hyper.alpha, StepDecay)} == {"schedule"}
    alpha = cases["schedule"].hyper.alpha
    assert (cases["schedule"].steps - 1) // alpha.period == 2
    assert cases["digits"].batches[0].x.shape == (60, 64)
    assert [layer.W.shape for layer in cases["digits"].params] == [(20, 64), (10, 20)]
    rows = np.concatenate([batch.x for batch in cases["digits"].batches])
    assert len(np.unique(rows, axis=0)) == len(rows)
    for case in cases.values():
        for tensor in (*nets.tensors(case.params), *(batch.x for batch in case.batches)):
            assert (tensor == tensor.astype(np.float32)).all()


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_neighbouring_cases_have_different_hyper_parameters(method):
    suite = verify.cases(method)
    for one, other in itertools.pairwise(suite):
        assert all(getattr(one.hyper, field) != getattr(other.hyper, field) for field in HYPER[method])


@pytest.mark.parametrize("method", [*SUBSAMPLED, *SAMPLED_TWICE])
def test_the_curvature_comes_from_a_part_of_the_batch_or_from_another_one(method):
    for case in [*verify.cases(method), *verify.cases(method, optional(method))]:
        for batch in case.batches:
            if case.name == "elsewhere" or (method in SAMPLED_TWICE and case.name != "rows"):
                assert len(batch.curvature.x) == len(batch.x) + 1
            else:
                assert set(batch.curvature.tolist()) <= set(range(len(batch.x)))
