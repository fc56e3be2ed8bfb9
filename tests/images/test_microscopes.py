"""Files of microscopes: the image, not the thumbnail, with its pixel size; what is no image of a place is refused.

The files are written by `microscopes.py`, as no library writes DM or Velox files.
"""

import numpy as np
import pytest
import tifffile

from arise_core.errors import FileError, InputError
from arise_images import find_atoms, read_image
from tests.images.made import PIXEL, image_of
from tests.images.microscopes import Shot, write_dm, write_mrc, write_velox

IMAGE = np.random.default_rng(0).integers(0, 100, (48, 64)).astype(np.float32)
COLOURED = np.random.default_rng(1).integers(0, 255, (12, 16, 4), dtype=np.uint8)
THUMBNAIL = Shot(COLOURED, name="thumbnail")
VERSIONS = (3, 4)


def dm(folder, version, *shots, thumbnail=True):
    path = folder / f"a.dm{version}"
    write_dm(path, (THUMBNAIL, *shots), version, thumbnail)
    return path


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("scale", "unit", "size"),
    [
        (0.02, "nm", 0.2),
        (2e-5, "µm", 0.2),
        (2e-5, "um", 0.2),
        (20.0, "pm", 0.2),
        (0.2, "Å", 0.2),
        (1.0, "", None),
    ],
)
def test_pixel_sizes_of_dm_files(tmp_path, version, scale, unit, size):
    found = read_image(dm(tmp_path, version, Shot(IMAGE, scale, unit)))
    np.testing.assert_array_equal(found.image, IMAGE)
    assert found.pixel_size == (None if size is None else pytest.approx(size))
    assert found.notes == ()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "bool"]
)
def test_kinds_of_numbers_of_dm_files(tmp_path, version, kind):
    image = (IMAGE > 50) if kind == "bool" else IMAGE.astype(kind)
    np.testing.assert_array_equal(read_image(dm(tmp_path, version, Shot(image, 0.02, "nm"))).image, image)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_thumbnail_that_is_not_declared_is_none(tmp_path, version):
    found = read_image(dm(tmp_path, version, Shot(IMAGE, 0.02, "nm"), thumbnail=False))
    np.testing.assert_array_equal(found.image, IMAGE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("unit", ["1/nm", "1/Å", "nm^-1", "mrad"])
def test_diffraction_patterns_are_refused(tmp_path, version, unit):
    path = dm(tmp_path, version, Shot(IMAGE, 0.02, unit))
    with pytest.raises(FileError, match=f"a.dm{version}.*diffraction"):
        read_image(path)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["complex64", "complex128"])
def test_complex_images_are_refused(tmp_path, version, kind):
    with pytest.raises(FileError, match="complex"):
        read_image(dm(tmp_path, version, Shot(IMAGE.astype(kind), 0.02, "nm")))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fourier_transform_beside_an_image_is_left_out(tmp_path, version):
    transform = Shot(np.fft.fft2(IMAGE).astype(np.complex64), 0.1, "1/nm", "FFT")
    found = read_image(dm(tmp_path, version, transform, Shot(IMAGE, 0.02, "nm")))
    np.testing.assert_array_equal(found.image, IMAGE)
    assert found.pixel_size == pytest.approx(0.2)


@pytest.mark.parametrize("version", VERSIONS)
def test_pictures_in_colours_of_dm_files(tmp_path, version):
    with pytest.raises(InputError, match="colours"):
        read_image(dm(tmp_path, version, Shot(COLOURED), thumbnail=True))
    grey = np.repeat(IMAGE.astype(np.uint8)[:, :, None], 4, axis=2)
    found = read_image(dm(tmp_path, version, Shot(grey, 0.02, "nm")))
    np.testing.assert_array_equal(found.image, IMAGE)
    assert found.pixel_size == pytest.approx(0.2)


@pytest.mark.parametrize("version", VERSIONS)
def test_stacks_of_dm_files_are_aligned_and_summed(tmp_path, version):
    image = image_of("SrTiO3 [001]", None).astype(np.float32)
    frames = np.stack([np.roll(image, (2 * k, -3 * k), axis=(0, 1)) for k in range(3)])
    found = read_image(dm(tmp_path, version, Shot(frames, 0.02, "nm", first=(0.5, "s"))))
    np.testing.assert_allclose(found.image, 3 * image[:-4, 6:], atol=0.05)
    assert found.pixel_size == pytest.approx(0.2)
    assert "3 frames" in found.notes[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stack_of_three_or_four_columns_is_no_picture_in_colours(tmp_path, version):
    frames = np.stack([IMAGE[:, :40]] * 4)
    assert read_image(dm(tmp_path, version, Shot(frames, 0.02, "nm"))).image.shape == (48, 40)


@pytest.mark.parametrize("version", VERSIONS)
def test_spectra_at_each_place_are_refused(tmp_path, version):
    cube = np.stack([IMAGE] * 5)
    with pytest.raises(FileError, match="spectrum"):
        read_image(dm(tmp_path, version, Shot(cube, 0.02, "nm", first=(0.25, "eV"))))


@pytest.mark.parametrize("version", VERSIONS)
def test_pixels_that_are_not_square_are_refused(tmp_path, version):
    with pytest.raises(InputError, match="square"):
        read_image(dm(tmp_path, version, Shot(IMAGE, 0.02, "nm", rows=0.03)))
    found = read_image(dm(tmp_path, version, Shot(IMAGE, 0.02, "nm", rows=0.0201)))
    assert found.pixel_size == pytest.approx(0.2005, rel=1e-3)


@pytest.mark.parametrize("version", VERSIONS)
def test_columns_in_a_dm_file(tmp_path, version):
    """From the file to a distance in Å."""
    found = read_image(dm(tmp_path, version, Shot(image_of("graphene").astype(np.float32), PIXEL / 10, "nm")))
    assert find_atoms(found.image, found.pixel_size).spacing == pytest.approx(1.424, rel=0.01)


@pytest.mark.parametrize("version", VERSIONS)
def test_damaged_dm_files_are_named(tmp_path, version):
    path = dm(tmp_path, version, Shot(IMAGE, 0.02, "nm"))
    whole = path.read_bytes()
    for cut in (6, 100, len(whole) // 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(FileError, match="cannot be read|no image"):
            read_image(path)


# --- Velox ----------------------------------------------------------------------------------------------------------


def test_a_velox_file(tmp_path):
    write_velox(tmp_path / "a.emd", [Shot(IMAGE, 2e-11, "m", "HAADF")])
    found = read_image(tmp_path / "a.emd")
    np.testing.assert_array_equal(found.image, IMAGE)
    assert found.pixel_size == pytest.approx(0.2)


def test_of_several_detectors_haadf_is_taken(tmp_path):
    shots = [Shot(IMAGE.max() - IMAGE, 2e-11, "m", "BF"), Shot(IMAGE, 2e-11, "m", "HAADF")]
    write_velox(tmp_path / "a.emd", shots)
    found = read_image(tmp_path / "a.emd")
    np.testing.assert_array_equal(found.image, IMAGE)
    assert "'HAADF' is taken" in found.notes[0]
    assert "'BF'" in found.notes[0]


def test_frames_of_a_velox_file(tmp_path):
    image = image_of("SrTiO3 [001]", None).astype(np.float32)
    write_velox(tmp_path / "a.emd", [Shot(np.stack([image, image]), 2e-11, "m", "HAADF")])
    found = read_image(tmp_path / "a.emd")
    np.testing.assert_allclose(found.image, 2 * image, atol=1e-3)
    assert found.pixel_size == pytest.approx(0.2)


def test_a_fourier_transform_of_velox_is_refused(tmp_path):
    write_velox(tmp_path / "a.emd", [Shot(IMAGE, 1e8, "1/m", "HAADF")])
    with pytest.raises(FileError, match="diffraction"):
        read_image(tmp_path / "a.emd")


# --- MRC, TIFF ------------------------------------------------------------------------------------------------------


def test_volumes_in_mrc_files_are_refused(tmp_path):
    frames = np.stack([IMAGE] * 5)
    edges = (64 * 0.2, 48 * 0.2, 1.0)
    write_mrc(tmp_path / "a.mrc", frames, edges, volume=True)
    with pytest.raises(FileError, match="volume"):
        read_image(tmp_path / "a.mrc")
    write_mrc(tmp_path / "a.mrc", frames, edges)
    found = read_image(tmp_path / "a.mrc")
    assert found.image.shape == IMAGE.shape
    assert found.pixel_size == pytest.approx(0.2)


def test_an_mrc_file_without_a_pixel_size(tmp_path):
    write_mrc(tmp_path / "a.mrc", IMAGE[None], (0.0, 0.0, 0.0))
    assert read_image(tmp_path / "a.mrc").pixel_size is None


def digital_micrograph_s_tiff(path, unit):
    tags = [(65003, "s", 0, unit, False), (65004, "s", 0, unit, False), (65009, "d", 1, 0.02, False),
            (65010, "d", 1, 0.02, False)]  # fmt: skip
    tifffile.imwrite(path, IMAGE, extratags=tags)


def test_pixel_sizes_that_digital_micrograph_leaves_in_tiff_files(tmp_path):
    digital_micrograph_s_tiff(tmp_path / "a.tif", "nm")
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.image, IMAGE)
    assert found.pixel_size == pytest.approx(0.2)
    digital_micrograph_s_tiff(tmp_path / "b.tif", "1/nm")
    with pytest.raises(FileError, match="diffraction"):
        read_image(tmp_path / "b.tif")


def test_resolutions_for_printing_are_no_pixel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(300, 300), resolutionunit="INCH")
    assert read_image(tmp_path / "a.tif").pixel_size is None
