"""Replaying: wrong programs fail, conventions are named, what is hostile or malformed gets a verdict, and JavaScript can do it."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stepgauge.arrays import map_arrays
from stepgauge.nets import single
from stepgauge.reference import METHODS, grouped_newton
from stepgauge.reference.parts import cubic, damping, levenberg_marquardt, quasi_newton
from stepgauge.verify.adapters import reference as adapter
from stepgauge.verify.cli import main
from stepgauge.verify.conventions import CONVENTIONS
from stepgauge.verify.procedures import PROCEDURES
from stepgauge.verify.source import instrument
from stepgauge.verify.vectors import build
from stepgauge.verify.vectors.format import DATA, value_of
from stepgauge.verify.vectors.replay import ANSWERS, load, replay, replay_answers

ROOT = Path(__file__).parents[2]


def by_convention(subject, convention):
    """The reference with a line rewritten, as a candidate."""
    method = METHODS[subject]

    def candidate(case):
        source = instrument(sys.modules[method.step.__module__], lambda tag, function, name, value: value,
                            convention.rewrites)
        state = source["init"](case.model, case.params, case.data, case.hyper)
        made = {"zeros": np.zeros_like, "ones": np.ones_like, "eye": lambda x: np.eye(len(x), dtype=x.dtype)}
        state = state._replace(**{name: map_arrays(made[what], getattr(state, name)) for name, what in convention.start.items()})
        params = case.params
        for batch in case.batches:
            params, state, trace = source["step"](case.model, params, state, batch, case.hyper)
            yield adapter.shown(params, state, trace)
    return candidate


def procedure_by(subject, convention):
    procedure = PROCEDURES[subject]
    return instrument(procedure.module, lambda tag, function, name, value: value, convention.rewrites)[procedure.function]


SLIPS = [(subject, convention) for subject in build.SUBJECTS for convention in CONVENTIONS.get(subject, ())
         if not convention.legitimate]


def outcome_of(subject, convention):
    by = procedure_by if subject in PROCEDURES else by_convention
    return replay(subject, by(subject, convention))


def moves(subject, convention):
    """Does a rewritten line of a method change its parameters on the cases of the vectors, beyond the last bits?"""
    return any(abs(W - right).max() > 2.0**-45 * abs(right).max() for case in build.runs(subject)
               for step, printed in zip(by_convention(subject, convention)(case), list(adapter.reference(case))[1:], strict=True)
               for name in ("W", "b") for W, right in zip(step[name], printed[name], strict=True))


@pytest.mark.long
def test_every_known_slip_fails_that_makes_a_difference():
    """Positions of dense layers, targets of another loss, or a cubic term that a method has not, make none."""
    with np.errstate(all="ignore"):
        passed = [(subject, convention) for subject, convention in SLIPS if outcome_of(subject, convention).ok]
        assert not [subject for subject, _ in passed if subject in PROCEDURES]
        others = [f"{subject}: {convention.text}" for subject, convention in passed if moves(subject, convention)]
    assert not others, "\n".join(others)
    assert len(passed) < len(SLIPS) / 4


@pytest.mark.parametrize(("subject", "words"), [
    ("adam", "v averages the square"), ("sgd_m", "stale momentum"), ("smw_gn", "D lacks the factor"),
    ("damping.double_damping", "μ₁ and μ₂"), ("roots.inverse_root", "twice the power")])
def test_a_slip_fails(subject, words):
    convention, = (slip for other, slip in SLIPS if other == subject and words in slip.text)
    found = outcome_of(subject, convention)
    assert (found.verdict, found.ok, found.convention) == ("FAIL", False, "")


@pytest.mark.parametrize(("subject", "words"), [("sgd_m", "momentum is heavy ball"), ("adam", "ε stands inside the root"),
                                                ("rmsprop", "v starts from ones")])
def test_a_convention_is_named_and_accepted(subject, words):
    convention, = (convention for convention in CONVENTIONS[subject] if convention.text.startswith(words))
    found = replay(subject, by_convention(subject, convention))
    assert (found.verdict, found.convention) == ("PASS", convention.text)
    assert found.convention in str(found.to_json())


@pytest.mark.long
def test_every_convention_that_has_vectors_for_all_cases_is_named_and_accepted():
    for subject in METHODS:
        tree = load(subject)
        valid = {vector["id"] for vector in tree["vectors"] if vector["result"] == "valid"}
        for convention in CONVENTIONS.get(subject, ()):
            twins = {vector["of"] for vector in tree["vectors"] if vector.get("convention") == convention.text}
            if twins == valid:
                found = replay(subject, by_convention(subject, convention))
                own = {outcome.verdict for outcome in found.outcomes if outcome.convention == convention.text}
                assert found.ok, (subject, convention.text)
                assert found.convention, (subject, convention.text)      # perhaps another, where W tells no scale of u
                assert own <= {"PASS", "GREY"}, (subject, convention.text)


def test_a_convention_with_a_slip_beside_it_is_not_accepted():
    heavy = by_convention("sgd_m", CONVENTIONS["sgd_m"][0])

    def slipped(case):
        for step in heavy(case):
            yield step | {"W": [W * (1 + 2.0**-30) for W in step["W"]]}
    found = replay("sgd_m", slipped)
    assert (found.verdict, found.convention) == ("FAIL", "")


def test_a_slip_of_a_billionth_in_one_entry_fails():
    def slipped(s, y, H, mu1, mu2):
        s_t, y_t = damping.double_damping(s, y, H, mu1=mu1, mu2=mu2)
        y_t = np.array(y_t)
        y_t[-1] *= 1 + 1e-9
        return s_t, y_t
    found = replay("damping.double_damping", slipped)
    assert found.verdict == "FAIL"
    assert next(o for o in found.outcomes if o.verdict == "FAIL").place.startswith("y_t, entry")


def test_a_wrong_zero_fails_where_the_exact_0_is_expected():
    def candidate(case):
        for step in adapter.reference(case):
            yield step | {"g": [g + 1e-300 for g in step["g"]]} if "g" in step else step
    found = {outcome.id: outcome.verdict for outcome in replay("sgd_m", candidate).outcomes}
    assert found["sgd_m/dead"] == "FAIL"


@pytest.mark.parametrize(("sign", "verdict"), [(1, "PASS"), (-1, "PASS"), (0, "FAIL")])
def test_in_the_hard_case_either_solution_is_right_and_one_must_be_found(sign, verdict):
    def solver(g, H, d, lam):
        eta = np.array(cubic.step_sizes(g, H, d, lam))
        return np.array([eta[0], sign * eta[1]], dtype=eta.dtype) if list(g) == [1, 0] and list(H[1]) == [0, -2] else eta
    assert replay("cubic.step_sizes", solver).verdict == verdict


# Hostile candidates -------------------------------------------------------------------------------------------------------

def raising(*_, **__):
    raise SystemExit(0)


def nothing(*_, **__):
    return None


def words(*_, **__):
    return "PASS"


def objects(*_, **__):
    return {"s_t": np.array([object()]), "y_t": [[]]}


def nan(s, y, H, mu1, mu2):
    return s * np.nan, y * np.nan


def too_short(s, y, H, mu1, mu2):
    return s[1:], y[1:]


def one_of_two(s, y, H, mu1, mu2):
    return {"s_t": s}


def overwriting(s, y, H, mu1, mu2):
    result = damping.double_damping(s, y, H, mu1=mu1, mu2=mu2)
    H[:] = np.nan
    return tuple(2 * part for part in result)


@pytest.mark.parametrize("candidate", [raising, nothing, words, objects, nan, too_short, one_of_two, overwriting])
def test_a_hostile_procedure_fails_everywhere_and_harms_nothing(candidate):
    found = replay("damping.double_damping", candidate)
    assert found.verdict == "FAIL"
    assert {outcome.verdict for outcome in found.outcomes if not outcome.id.endswith(("s-0-n-1", "y-0-n-1"))} == {"FAIL"}
    json.loads(found.to_json())
    assert replay("damping.double_damping", damping.double_damping).ok


def test_a_procedure_that_never_ends_is_called_once():
    started = time.monotonic()
    found = replay("quasi_newton.bfgs_H", lambda *_: time.sleep(60), time_limit=0.2)
    assert time.monotonic() - started < 20
    assert {outcome.verdict for outcome in found.outcomes} == {"FAIL"}
    assert sum("within 0.2 s" in outcome.reason for outcome in found.outcomes) == 1


@pytest.mark.parametrize("yields", [None, 3, [None], [{}], [{"W": 1}], [{"W": [], "b": []}] * 3, [{}] * 99, [{1: 2}] * 3])
def test_a_hostile_method_fails_everywhere(yields):
    found = replay("sgd_m", lambda case: yields)
    assert {outcome.verdict for outcome in found.outcomes if outcome.result == "valid"} == {"FAIL"}
    assert all(outcome.reason for outcome in found.outcomes if outcome.result == "valid")


def test_what_is_no_subject_or_candidate_is_refused():
    with pytest.raises(ValueError, match="subject: expected one of"):
        replay("../adam", damping.double_damping)
    with pytest.raises(TypeError, match="candidate: expected a callable"):
        replay("adam", 3)


# What procedures take and give --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("instead", "verdict"), [("-inf", "PASS"), ("inf", "FAIL"), ("nan", "FAIL"), ("-0x1p+1023", "FAIL")])
def test_an_infinite_result_must_be_that_infinity(instead, verdict):
    def ratio(f, f_p, foretold):
        rho = levenberg_marquardt.reduction_ratio(f, f_p, foretold)
        return rho if np.isfinite(rho) else np.asarray(value_of(instead))
    found = replay("levenberg_marquardt.reduction_ratio", ratio)
    assert found.verdict == verdict
    assert [outcome.verdict for outcome in found.outcomes if "infinit" in outcome.id] == [verdict]


def test_an_infinity_in_a_file_of_answers_is_a_string(tmp_path):
    subject = "levenberg_marquardt.reduction_ratio"
    rho = {vector["id"]: {"result": {"shape": [], "data": vector["expected"]["result"]["data"]}}
           for vector in load(subject)["vectors"] if vector["result"] == "valid"}
    assert {"data": ["-inf"], "shape": []} in [answer["result"] for answer in rho.values()]
    text = json.dumps({"format": ANSWERS, "subject": subject, "dtype": "float64", "answers": rho})
    (tmp_path / "a.json").write_text(text)
    assert replay_answers(subject, tmp_path / "a.json").verdict == "PASS"
    (tmp_path / "a.json").write_text(text.replace('"-inf"', "-Infinity"))
    with pytest.raises(ValueError, match=r"a\.json: expected JSON because other languages read it too, got -Infinity"):
        replay_answers(subject, tmp_path / "a.json")


@pytest.mark.parametrize(("order", "verdict"), [(lambda h, v: (h, v), "PASS"), (lambda h, v: [*h, *v], "PASS"),
                                                (lambda h, v: (v, h), "FAIL"), (lambda h, v: (h, v[1:]), "FAIL")])
def test_lists_of_lists_are_compared_one_after_the_other(order, verdict):
    assert replay("single.forward", lambda *given: order(*single.forward(*given))).verdict == verdict


def test_networks_records_and_products_reach_the_candidate_as_they_are():
    seen = {}
    for subject in ("curvature.ggn", "grouped_newton.schedule", "conjugate_gradient.conjugate_gradient"):
        procedure = PROCEDURES[subject]

        def candidate(*given, procedure=procedure, subject=subject, **named):
            seen.setdefault(subject, []).append(given)
            return getattr(procedure.module, procedure.function)(*given, **named)
        assert replay(subject, candidate).ok
        there = [inputs.args for inputs in procedure.inputs() if build.slug(inputs.name) in
                 {vector["id"].split("/")[1] for vector in load(subject)["vectors"]}]
        assert repr(seen[subject]) == repr(there)


def test_a_record_that_no_procedure_takes_is_refused(tmp_path):
    text = (DATA / "grouped_newton.schedule.json").read_text()
    (tmp_path / "grouped_newton.schedule.json").write_text(text.replace('"p_sch"', '"patience"'))
    with pytest.raises(ValueError, match="arguments: expected records that procedures take because they are made anew, got"):
        replay("grouped_newton.schedule", grouped_newton.schedule, folder=tmp_path)


# Bad input ----------------------------------------------------------------------------------------------------------------

def test_invalid_vectors_count_where_they_are_asked_for():
    def trusting(H, s, y):
        with np.errstate(all="ignore"):
            return quasi_newton.bfgs_H.trusted(H, s, y)
    assert replay("quasi_newton.bfgs_H", trusting).ok
    found = replay("quasi_newton.bfgs_H", trusting, bad_input=True)
    assert found.verdict == "NOT-REJECTED"
    assert replay("quasi_newton.bfgs_H", quasi_newton.bfgs_H, bad_input=True).verdict == "PASS"


# Answers ------------------------------------------------------------------------------------------------------------------

def answers(subject="quasi_newton.dfp_H", **change):
    """The stored values themselves as answers, decimal."""
    def plain(part):
        return {"shape": part["shape"], "data": [float.fromhex(x) for x in part["data"]]}

    tree = load(subject)
    return {"format": ANSWERS, "subject": subject, "dtype": "float64", "answers": {
        vector["id"]: {name: plain(part) for name, part in vector["expected"].items()} if "expected" in vector else {"error": "no"}
        for vector in tree["vectors"]}} | change


@pytest.fixture
def judged(tmp_path):
    def from_tree(tree, **options):
        (tmp_path / "answers.json").write_text(tree if isinstance(tree, str) else json.dumps(tree))
        return replay_answers("quasi_newton.dfp_H", tmp_path / "answers.json", **options)
    return from_tree


def test_right_answers_pass(judged):
    assert judged(answers(), bad_input=True).verdict == "PASS"
    assert judged(answers(dtype="float32")).verdict == "PASS"


FIRST = next(iter(answers()["answers"]))


@pytest.mark.parametrize("answer", [
    None, 3, "x", [], {}, {"result": None}, {"result": {"shape": [1], "data": []}},
    {"result": {"shape": [-1, -1], "data": ["0x1p+0"]}},
    {"result": {"shape": [10**12], "data": []}}, {"result": {"shape": [1, 1], "data": ["os.system('')"]}},
    {"result": {"shape": [1, 1], "data": ["nan"]}}, {"result": {"shape": [1, 1], "data": ["0x1p+9999"]}},
    {"result": {"shape": [1, 1], "data": [[1]]}}, {"result": {"shape": [1], "data": [1.0]}}, {"error": "I refuse"},
    [{"result": {"shape": [1, 1], "data": [1.0]}}] * 2, {"other": {"shape": [1, 1], "data": [1.0]}}])
def test_a_malformed_answer_is_a_failure_of_its_vector(judged, answer):
    tree = answers()
    tree["answers"][FIRST] = answer
    found = judged(tree)
    assert found.verdict == "FAIL"
    assert [outcome.id for outcome in found.outcomes if outcome.verdict == "FAIL"] == [FIRST]


def test_an_answer_that_is_missing_is_a_failure(judged):
    tree = answers()
    del tree["answers"][FIRST]
    assert [outcome.reason for outcome in judged(tree).outcomes if outcome.verdict == "FAIL"] == ["no answer"]


@pytest.mark.parametrize("tree", [
    "", "[]", "3", answers(format="x"), answers(subject="adam"), answers(dtype="float16"), answers(answers=[]),
    answers(more=1), answers(answers={"x": {}}), '{"format": 1, "format": 2}', "[" * 10**5])
def test_malformed_files_of_answers_are_refused(judged, tree):
    with pytest.raises(ValueError, match=r"(?s)answers.json.*: expected .+ because .+, got .*"):
        judged(tree)


# The command --------------------------------------------------------------------------------------------------------------

def test_the_command_replays(capsys):
    assert main(["vectors", "replay", "adam", "examples/wrong_adam.py:candidate"]) == 1
    page = capsys.readouterr().out
    assert f"FAIL  adam, vectors {build.VERSION}, float64" in page
    assert "step 1, v[0], entry" in page
    assert main(["vectors", "replay", "adam", "examples/wrong_adam.py:candidate", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "FAIL"


def test_the_command_exports_and_verifies(capsys, tmp_path):
    assert main(["vectors", "export", str(tmp_path), "--subject", "tensors.vec"]) == 0
    assert f"1 files of vectors, {build.VERSION}" in capsys.readouterr().out
    assert main(["vectors", "verify", str(tmp_path)]) == 0
    (tmp_path / "tensors.vec.json").write_text("{}")
    assert main(["vectors", "verify", str(tmp_path)]) == 1
    assert "tensors.vec.json: expected SHA-256" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [
    ["replay", "adam"], ["replay", "adam", "a.py:b", "--answers", "x"], ["replay", "nothing", "examples/wrong_adam.py:candidate"],
    ["replay", "adam", "--answers", "nowhere.json"], ["verify", "nowhere"], ["verify", "--subject", "nothing"],
    ["export", "nowhere", "--subject", "nothing"]])
def test_questions_that_cannot_be_asked(capsys, arguments):
    assert main(["vectors", *arguments]) == 2
    assert ": expected " in capsys.readouterr().err
    assert not (ROOT / "nowhere").exists()


# Without Python -----------------------------------------------------------------------------------------------------------

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no Node: examples/replay.js is not run")


def run_example(*arguments, program=ROOT / "examples" / "replay.js"):
    return subprocess.run([NODE, str(program), *map(str, arguments)], capture_output=True, text=True, check=False)


@needs_node
def test_the_javascript_example_replays_and_its_answers_pass(tmp_path):
    done = run_example(DATA, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for subject, count in (("damping.double_damping", 57), ("adam", 13)):
        assert f"{subject}, vectors {build.VERSION}: {count} of {count} as they should be" in done.stdout
        assert replay_answers(subject, tmp_path / f"{subject}.json", bad_input=True).verdict == "PASS"


@needs_node
@pytest.mark.parametrize(("right", "wrong"), [("mix(theta2, y.data, s_t)", "mix(theta2, y.data, s.data)"),
                                              ("g[i][j] ** 2", "m[i][j] ** 2"), ('must(mu2 > 0 && mu2 <= 1, "mu2")', "")])
def test_a_slip_in_the_javascript_example_is_found(tmp_path, right, wrong):
    text = (ROOT / "examples" / "replay.js").read_text()
    assert text.count(right) == 1
    (tmp_path / "slipped.js").write_text(text.replace(right, wrong))
    assert run_example(DATA, program=tmp_path / "slipped.js").returncode == 1
