"""Files of surrogates: what is saved is loaded, and what is damaged or hostile is refused."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from hemobench.benchmarks import noise
from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.surrogates.encode import Encoder
from hemobench.benchmarks.surrogates.store import load, save
from hemobench.benchmarks.surrogates.surrogate import About, Surrogate
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Proposal
from hemobench.strategies.space import random_stream

SPACE = load_task("bone-marrow-full").space()


def drawn(seed):
    return next(random_stream(SPACE, seed))


@pytest.fixture
def path(small, tmp_path):
    save(small, tmp_path / "s.npz")
    return tmp_path / "s.npz"


def test_what_is_saved_is_loaded(small, path):
    loaded = load(path)
    assert loaded.about == small.about
    config = drawn(0)
    one, other = small.predict(config, 50), loaded.predict(config, 50)
    assert np.array_equal(one.outputs, other.outputs)
    before = path.read_bytes()
    save(loaded, path)
    assert path.read_bytes() == before


def test_files_of_the_first_format_are_read_and_written_as_they_were(tmp_path):
    """Their noise has one Gaussian shape, and their members' deviations are not widened."""
    rng = np.random.default_rng(0)
    about = replace(ABOUT_FIRST, fitted={})
    looks, outputs = len(about.epochs), len(about.outputs)
    wide = len(Encoder(load_task("c-nmc").space()).names)
    shapes = {
        "w1": (2, wide, 4),
        "b1": (2, 1, 4),
        "w2": (2, 4, 4),
        "b2": (2, 1, 4),
        "w3": (2, 4, looks * (outputs + 1)),
        "b3": (2, 1, looks * (outputs + 1)),
        "factors": (looks, 12, outputs),
        "rest": (looks, outputs),
        "power": (outputs,),
    }
    arrays = {name: (0.1 * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    save(Surrogate(about, arrays), tmp_path / "first.npz")
    described = json.loads(np.load(io.BytesIO(members_of(tmp_path / "first.npz")["about.npy"])).tobytes())
    assert described["schema"] == 1
    assert "widening" not in described
    loaded = load(tmp_path / "first.npz")
    assert loaded.about.widening == 1.0
    config = next(random_stream(load_task("c-nmc").space(), 0))
    drawn_again = noise.draw("x@surrogate", 1, 7, config, 10)
    wanted = loaded.predict(config, 10, member=1).outputs
    trial = np.array(drawn_again.trial[:12])
    added = trial @ arrays["factors"][-1] + drawn_again.epoch[-1] * arrays["rest"][-1]
    wanted = np.clip(wanted + added * (wanted * (1 - wanted)) ** arrays["power"], 0, 1)
    answered = SurrogateEvaluator(loaded, "x@surrogate", 1).evaluate(Proposal(config, 10), 7)
    assert answered.validation["accuracy"] == pytest.approx(wanted[0], abs=1e-5)


ABOUT_FIRST = About(
    task="c-nmc",
    benchmark="c-nmc@live",
    version=1,
    scale="small",
    device="none",
    data="",
    full=10,
    outputs=("validation.accuracy", "test.accuracy", "curve"),
    epochs=(1, 10),
    folds=(0,),
    evaluation_share=0.1,
    seconds=(1.0, 10.0),
    failures=False,
    noise="repeats",
    fitted={},
)


def members_of(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewritten(path, changes: dict[str, bytes | None]) -> None:
    members = {**members_of(path), **changes}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            if content is not None:
                file.writestr(name, content)


def npy(array) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def assert_refused(path, match):
    with pytest.raises(BenchmarkError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickles_are_not_opened(path, tmp_path):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    rewritten(path, {"w1.npy": npy(trap)})
    assert_refused(path, "array 'w1' is of type object")
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert_refused(path, "no readable surrogate")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"w1.npy": None}, "not the arrays"),
        ({"../../climb.npy": b"x"}, "not the arrays"),
        ({"w1.npy": b"not an array"}, "no readable|magic"),
        ({"knots.npy": npy(np.zeros(3, np.float32))}, "array 'knots' of shape"),
        ({"knots.npy": npy(np.zeros((4, 17, 9), np.float64))}, "array 'knots' is of type float64"),
        ({"knots.npy": npy(np.full((4, 17, 9), np.nan, np.float32))}, "no number"),
        ({"knots.npy": npy(np.zeros((4, 17, 9), np.float32))}, "does not rise"),
        ({"margins.npy": npy(np.full((4, 17, 9, 31), 5.0, np.float32))}, "noise of more than"),
        ({"trial.npy": npy(np.ones((4, 23, 17), np.float32))}, "do not go together"),
        ({"power.npy": npy(np.zeros(17, np.float32))}, "not the arrays"),
        ({"about.npy": npy(np.frombuffer(b"{}", np.uint8))}, "schema None"),
        ({"about.npy": npy(np.frombuffer(b"[[[", np.uint8))}, "s.npz"),
        ({"w2.npy": npy(np.zeros((5, 64, 63), np.float32))}, "array 'w2'"),
        ({"b1.npy": npy(np.zeros(40_000_000 // 4, np.float32))}, "decompressed, more than|of shape"),
    ],
)
def test_files_that_are_refused(path, changes, match):
    rewritten(path, changes)
    assert_refused(path, match)


def test_a_header_that_promises_too_much(path):
    lying = npy(np.zeros(17, np.float32)).replace(b"(17,)", b"(10**9,)".replace(b"10**9", b"99999"))
    rewritten(path, {"knots.npy": lying})
    assert_refused(path, "array 'knots'|no readable")


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 1},
        {"schema": 3},
        {"widening": 0.0},
        {"widening": 1e9},
        {"widening": "wide"},
        {"epochs": []},
        {"epochs": [40, 10, 1, 100]},
        {"seconds": [0.0, 1.0]},
        {"folds": []},
        {"task": "none"},
        {"outputs": ["curve"]},
        {"full": 10**9},
        {"evaluation_share": 2.0},
    ],
)
def test_descriptions_that_cannot_be(path, changes):
    about = json.loads(np.load(io.BytesIO(members_of(path)["about.npy"])).tobytes())
    rewritten(path, {"about.npy": npy(np.frombuffer(json.dumps({**about, **changes}).encode(), np.uint8))})
    with pytest.raises(BenchmarkError):
        load(path)


def test_a_bomb_is_refused_before_it_grows(path):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.npy", bytes(50 << 20))
    assert_refused(path, "not the arrays")
    rewritten(path, {"bomb.npy": None, "w3.npy": bytes(50 << 20)})
    assert path.stat().st_size < 1 << 20
    assert_refused(path, "decompressed, more than")


def test_damage_is_refused_or_harmless(small, path):
    """What is loaded all the same, since the damage is to a date or the like, predicts as before."""
    whole, config, refusals = path.read_bytes(), drawn(0), 0
    expected = small.predict(config, 50).outputs
    for seed in range(60):
        rng, content = random.Random(seed), bytearray(whole)
        if seed % 3:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        else:
            del content[rng.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            loaded = load(path)
        except BenchmarkError:
            refusals += 1
        else:
            np.testing.assert_array_equal(loaded.predict(config, 50).outputs, expected)
    assert refusals > 50


def test_a_missing_file(tmp_path):
    assert_refused(tmp_path / "none.npz", "No such file")
