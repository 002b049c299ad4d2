"""Each effect against what it must do to a known image."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.inputs.augmentation import (  # noqa: E402
    AUTOMATED,
    C_NMC,
    COLUMNS,
    EFFECTS,
    MEAN,
    STD,
    WIDTH,
    Augmentation,
    augment,
    draws,
    from_config,
    normalise,
    to_unit,
)
from hemobench.benchmarks.training.seeds import generator  # noqa: E402

SIZE = 32


@pytest.fixture
def images() -> torch.Tensor:
    """Smooth, without symmetry, in [0, 1]; shape (4, 3, 32, 32)."""
    t = torch.linspace(0, 1, SIZE)
    base = 0.1 + 0.5 * t[None, :] + 0.3 * t[:, None] ** 2
    return torch.stack([base * s for s in (1.0, 0.9, 0.8)]).repeat(4, 1, 1, 1)


def fixed(**columns: float) -> torch.Tensor:
    """Draws of the middle, which change nothing, but for those named."""
    drawn = torch.full((4, WIDTH), 0.5)
    for name, value in columns.items():
        drawn[:, COLUMNS[name]] = value
    return drawn


def test_no_effect_is_no_change(images: torch.Tensor) -> None:
    assert augment(images, draws(4, generator(0)), Augmentation()) is images


def test_the_middle_of_every_range_changes_nothing(images: torch.Tensor) -> None:
    how = Augmentation(rotation=15, shift=0.1, shear=0.1, zoom=0.1, stretch=1.2, gamma=1.5, elastic=0.05)
    torch.testing.assert_close(augment(images, fixed(), how), images, atol=1e-5, rtol=0)


def test_mirroring_flips(images: torch.Tensor) -> None:
    across = augment(images, fixed(mirror_x=0.2, mirror_y=0.9), Augmentation(mirror="both"))
    down = augment(images, fixed(mirror_x=0.9, mirror_y=0.2), Augmentation(mirror="both"))
    only = augment(images, fixed(mirror_x=0.9, mirror_y=0.2), Augmentation(mirror="horizontal"))
    torch.testing.assert_close(across, images.flip(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(down, images.flip(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(only, images, atol=1e-5, rtol=0)


def test_a_quarter_turn_is_rot90(images: torch.Tensor) -> None:
    turned = augment(images, fixed(rotation=0.75), Augmentation(rotation=180))
    candidates = [torch.rot90(images, k, (2, 3)) for k in (1, 3)]
    assert any(torch.allclose(turned, c, atol=1e-5) for c in candidates)


def test_a_shift_by_a_tenth_moves_by_a_tenth(images: torch.Tensor) -> None:
    drawn = fixed()
    drawn[:, COLUMNS["shift_x"]] = 1.0
    moved = augment(images, drawn, Augmentation(shift=4 / SIZE, outside="zeros"))
    torch.testing.assert_close(moved[..., :-4], images[..., 4:], atol=1e-5, rtol=0)
    assert float(moved[..., -3:].abs().max()) == 0  # black outside


def test_shear_moves_rows_by_their_distance_from_the_middle() -> None:
    column = torch.zeros(4, 3, SIZE, SIZE)
    column[..., SIZE // 2 - 1 : SIZE // 2 + 1] = 1
    drawn = fixed()
    drawn[:, COLUMNS["shear_x"]] = 1.0
    sheared = augment(column, drawn, Augmentation(shear=0.25, outside="zeros"))
    centre = (sheared[0, 0] * torch.arange(SIZE)).sum(1) / sheared[0, 0].sum(1)
    assert float(centre[0] - centre[-1]) == pytest.approx(0.25 * (SIZE - 1), abs=0.5)


def test_zoom_and_crop_enlarge_the_middle(images: torch.Tensor) -> None:
    drawn = fixed()
    drawn[:, COLUMNS["zoom"]] = 1.0
    larger = augment(images, drawn, Augmentation(zoom=0.1))
    cropped = augment(images, fixed(), Augmentation(crop=1 / 1.1))
    torch.testing.assert_close(larger, cropped, atol=1e-5, rtol=0)
    assert float(larger.std()) < float(images.std())


def test_a_crop_stays_inside_the_image() -> None:
    white = torch.ones(64, 3, SIZE, SIZE)
    how = Augmentation(crop=0.8, outside="zeros")
    view = augment(white, draws(64, generator(1)), how)
    assert float(view[..., 1:-1, 1:-1].min()) == pytest.approx(1)


def test_stretching_scales_one_axis(images: torch.Tensor) -> None:
    drawn = fixed()
    drawn[:, COLUMNS["stretch_x"]] = 1.0
    stretched = augment(images, drawn, Augmentation(stretch=2.0))
    row, before = stretched[0, 0, SIZE // 2], images[0, 0, SIZE // 2]
    assert float(row[-2] - row[1]) == pytest.approx(float(before[-2] - before[1]) / 2, rel=0.1)
    column, above = stretched[0, 0, :, SIZE // 2], images[0, 0, :, SIZE // 2]
    torch.testing.assert_close(column, above, atol=0.01, rtol=0)


def test_blur_keeps_the_sum_and_widens_a_point() -> None:
    point = torch.zeros(4, 3, 33, 33)
    point[..., 16, 16] = 1
    drawn = fixed(blur=1.0)
    blurred = augment(point, drawn, Augmentation(blur=2 / 33))
    assert float(blurred[0, 0].sum()) == pytest.approx(1, abs=1e-4)
    offsets = torch.arange(33) - 16
    variance = float((blurred[0, 0].sum(0) * offsets**2).sum())
    assert variance == pytest.approx(4, rel=0.05)
    torch.testing.assert_close(augment(point, fixed(blur=0.0), Augmentation(blur=2 / 33)), point)


def test_gamma_is_a_power(images: torch.Tensor) -> None:
    drawn = fixed()
    drawn[:, COLUMNS["gamma"]] = 1.0
    torch.testing.assert_close(augment(images, drawn, Augmentation(gamma=1.4)), images**1.4)
    assert torch.isfinite(augment(images * 0, drawn, Augmentation(gamma=1.4))).all()


def test_elastic_deformation_moves_pixels_a_little(images: torch.Tensor) -> None:
    view = augment(images, draws(4, generator(0)), Augmentation(elastic=0.05))
    assert 0 < float((view - images).abs().mean()) < 0.1


def test_switches_turn_on_what_they_say() -> None:
    assert from_config(dict.fromkeys(EFFECTS, False)) == Augmentation()
    for name, effect in EFFECTS.items():
        config = {other: other == name for other in EFFECTS}
        assert from_config(config) == Augmentation(**effect)
    fixed_by_the_paper = from_config({"learning_rate": 1e-3})
    assert fixed_by_the_paper == from_config({name: name in AUTOMATED for name in EFFECTS})


@pytest.mark.parametrize("how", [C_NMC, from_config(dict.fromkeys(EFFECTS, True))])
def test_views_are_reproducible_and_differ(images: torch.Tensor, how: Augmentation) -> None:
    first, again = (augment(images, draws(4, generator(5)), how) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first[0], first[1])
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1 + 1e-6


def test_a_view_does_not_depend_on_its_batch(images: torch.Tensor) -> None:
    drawn, how = draws(4, generator(2)), from_config(dict.fromkeys(EFFECTS, True))
    together = augment(images, drawn, how)
    alone = torch.cat([augment(images[i : i + 1], drawn[i : i + 1], how) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_effects_do_not_share_draws() -> None:
    """Switching one effect on leaves the others' draws alone, since the columns are always drawn."""
    assert draws(3, generator(0)).shape == (3, WIDTH)
    assert len(set(COLUMNS.values())) == len(COLUMNS)


def test_normalising_uses_imagenets_statistics() -> None:
    pixels = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    expected = [(1 - m) / s for m, s in zip(MEAN, STD, strict=True)]
    assert normalise(to_unit(pixels))[0, :, 0, 0].tolist() == pytest.approx(expected)
