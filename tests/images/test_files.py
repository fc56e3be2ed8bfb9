"""Images from files: pixels, pixel sizes, and what is refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import io

from arise_core.errors import FileError, InputError, MissingFileError
from arise_images import read_image
from arise_images.files import aligned, images_in
from tests.images.made import image_of

GREY = np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_pictures(tmp_path, name):
    io.imsave(tmp_path / name, GREY, check_contrast=False)
    found = read_image(tmp_path / name)
    np.testing.assert_array_equal(found.image, GREY)
    assert found.image.dtype == float
    assert found.pixel_size is None
    assert found.name == name


def test_a_grey_picture_stored_in_colours(tmp_path):
    io.imsave(tmp_path / "a.png", np.stack([GREY] * 3, axis=2), check_contrast=False)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").image, GREY)


def test_imagej_s_size_of_a_pixel(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        GREY.astype(np.float32),
        imagej=True,
        resolution=(50.0, 50.0),
        metadata={"unit": "nm"},
    )
    assert read_image(tmp_path / "a.tif").pixel_size == pytest.approx(0.2)


def test_pixels_of_a_tiff_file_that_are_not_square_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, resolution=(50.0, 25.0), metadata={"unit": "nm"})
    with pytest.raises(InputError, match="0.2 x 0.4 Å"):
        read_image(tmp_path / "a.tif")


def test_how_opaque_a_grey_picture_is_says_nothing(tmp_path):
    both = Image.fromarray(GREY).convert("LA")
    both.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").image, GREY)


def test_a_stack_without_frames_is_refused():
    with pytest.raises(InputError, match="no frames"):
        aligned(np.zeros((0, 48, 64)))


def test_microscope_files_have_their_pixel_size(tmp_path):
    from rsciio.emd import file_writer

    axes = [
        {
            "name": name,
            "units": "nm",
            "scale": 0.02,
            "offset": 0.0,
            "size": n,
            "index_in_array": k,
            "navigate": False,
        }
        for k, (name, n) in enumerate(zip("yx", GREY.shape, strict=True))
    ]
    signal = {"data": GREY.astype(np.float32), "axes": axes, "metadata": {"General": {"title": "a"}, "Signal": {}},
              "original_metadata": {}}  # fmt: skip
    file_writer(str(tmp_path / "a.emd"), signal)
    found = read_image(tmp_path / "a.emd")
    np.testing.assert_array_equal(found.image, GREY)
    assert found.pixel_size == pytest.approx(0.2)


def test_an_mrc_file(tmp_path):
    """The header as in A. Cheng et al., J. Struct. Biol. 192, 146 (2015), table 1."""
    header = np.zeros(256, dtype=np.int32)
    rows, columns = GREY.shape
    header[:4] = columns, rows, 1, 2
    header[7:10] = columns, rows, 1
    header[10:13] = np.array([columns * 0.2, rows * 0.2, 1], dtype=np.float32).view(np.int32)
    header[16:19] = 1, 2, 3
    header[52] = int.from_bytes(b"MAP ", "little")
    header[53] = 0x00004144
    (tmp_path / "a.mrc").write_bytes(header.tobytes() + GREY.astype(np.float32).tobytes())
    found = read_image(tmp_path / "a.mrc")
    assert found.image.shape == GREY.shape
    assert found.pixel_size == pytest.approx(0.2)


def test_drift_between_frames_is_taken_out(tmp_path):
    image = image_of("SrTiO3 [001]", None)
    drifted = np.stack([np.roll(image, (2 * k, -3 * k), axis=(0, 1)) for k in range(4)])
    common = image[:-6, 9:]  # what all frames show
    np.testing.assert_allclose(aligned(drifted), 4 * common, atol=0.05)
    tifffile.imwrite(tmp_path / "a.tif", drifted.astype(np.float32), photometric="minisblack")
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(found.image, 4 * common, atol=0.05)
    assert "4 frames" in found.notes[0]


def test_frames_of_other_places_are_refused(tmp_path):
    """No sum of frames that were moved by most of the image, which would be of noise and stripes."""
    image = image_of("SrTiO3 [001]", None)
    one = np.zeros_like(image)
    one[80:120, 80:120] = image[80:120, 80:120]
    frames = np.stack([np.roll(one, rows, axis=0) for rows in (0, 70, -70)]).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    with pytest.raises(InputError, match=r"a\.tif.*do not show one place"):
        read_image(tmp_path / "a.tif")


# rosettasciio 0.15 leaves the MRC file open when it cannot read it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_no_image_file_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match="does not exist"):
        read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="must end in"):
        read_image(tmp_path / "a.xyz")
    for name in ("a.png", "a.tif", "a.dm3", "a.dm4", "a.mrc", "a.emd", "a.npy"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(FileError, match=name):
            read_image(tmp_path / name)


def test_what_the_image_has_wrong_is_said_of_its_file(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    io.imsave(tmp_path / "a.png", colours, check_contrast=False)
    with pytest.raises(InputError, match=r"a\.png.*colours"):
        read_image(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.full((48, 64), np.nan))
    with pytest.raises(InputError, match=r"b\.npy.*NaN"):
        read_image(tmp_path / "b.npy")


def test_images_of_a_folder(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        images_in(tmp_path)
    for name in ("b.png", "a.TIF", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in images_in(tmp_path)] == ["a.TIF", "b.png"]
