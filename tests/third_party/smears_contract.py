from PIL import Image

from hemobench.testing import assert_not_worse, check_benchmark, check_dataset, check_strategy, check_task


def test_strategy():
    check_strategy("halton")


def test_task():
    check_task("smears")


def test_benchmark():
    check_benchmark("smears@formula")


def test_dataset(tmp_path):
    for number, name in enumerate(["infected", "sound"] * 5):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (200, 20 * number, 90)).save(tmp_path / name / f"{number}.png")
    check_dataset("smears", tmp_path)


def test_it_holds_up_with_random_search():
    assert_not_worse("halton", than="random", benchmark="smears@formula", seeds=20, trials=10)
