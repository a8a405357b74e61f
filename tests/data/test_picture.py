"""A person's picture in the data's form: known garments in known places come out where and as they
must.
"""

import numpy as np
import pytest
from PIL import Image, ImageOps

from numpycnn.data import read_image, synthetic
from numpycnn.errors import DatasetError

SHAPE = (28, 28, 1)
GARMENTS = synthetic.make(20, 0)[0]


def boxed(background, garment, size=(300, 200), box=(60, 30, 130, 170)):
    """A picture (width, height) of one grey with a rectangle of another in it."""
    image = Image.new("L", size, background)
    image.paste(garment, box)
    return image


def read(image, path, shape=SHAPE, **options):
    image.save(path, **options)
    return read_image(path, shape)


@pytest.fixture
def png(tmp_path):
    return tmp_path / "photo.png"


def test_an_image_of_the_data_is_unchanged_and_its_negative_turned_back(png):
    for image in GARMENTS:
        for given in image, 255 - image:
            np.testing.assert_array_equal(read(Image.fromarray(given[..., 0]), png), image)


def test_for_data_on_a_light_background_it_is_the_other_way_round(png):
    """What the data have comes as it is, its negative turned.

    A photo is the negative of what others get.
    """
    for image in 255 - GARMENTS[:5]:
        for given in image, 255 - image:
            Image.fromarray(given[..., 0]).save(png)
            np.testing.assert_array_equal(read_image(png, SHAPE, light=True), image)
    for picture in boxed(240, 30), boxed(30, 240), Image.new("L", (50, 40), 99):
        np.testing.assert_array_equal(255 - read(picture, png), read_image(png, SHAPE, light=True))


@pytest.mark.parametrize(
    ("background", "garment"), [(255, 0), (0, 255), (240, 215), (120, 30), (120, 220), (0, 40)]
)
def test_a_rectangle_fills_the_frame_white_on_black(background, garment, png):
    seen = read(boxed(background, garment), png)[..., 0]  # 70 x 140: 14 x 28
    assert (seen[:, :7] == 0).all()
    assert (seen[:, 21:] == 0).all()
    assert seen[:, 7:21].min() > 240
    assert seen.max() == 255


def test_place_and_size_do_not_matter(png):
    wanted = read(boxed(255, 60), png)
    for k, left, top in (1, 100, 0), (2, 0, 0), (3, 130, 70):
        box = (left, top, left + 70 * k, top + 140 * k)
        np.testing.assert_allclose(read(boxed(255, 60, (500, 501), box), png), wanted, atol=20)


def test_an_odd_remainder_goes_left_and_up_as_in_fashion_mnist(png):
    assert np.flatnonzero(
        read(boxed(255, 0, box=(60, 30, 125, 170)), png)[..., 0].any(axis=0)
    ).tolist() == list(range(8, 21))


def test_noise_specks_and_uneven_light_are_background(tmp_path):
    rng = np.random.default_rng(0)
    pixels = (
        np.asarray(boxed(200, 40), float) + np.linspace(-12, 12, 300) + rng.normal(0, 4, (200, 300))
    )
    pixels[5, 280:282] = 0
    photo = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    seen = read(photo, tmp_path / "photo.jpg", quality=80)[..., 0]
    assert (seen[:, :6] == 0).all()
    assert (seen[:, 22:] == 0).all()
    assert seen[1:27, 8:20].min() > 200


def test_light_and_dark_parts_of_a_garment_both_count(png):
    image = boxed(128, 230)
    image.paste(20, (60, 30, 130, 100))
    seen = read(image, png)[..., 0]
    assert seen[:, 8:20].min() > 200
    assert not seen[:, :7].any()


def test_the_picture_is_turned_as_the_camera_says_and_white_where_it_is_transparent(tmp_path, png):
    image = boxed(255, 0)
    image.paste(255, (60, 30, 95, 100))  # not the same when turned
    wanted = read(image, png)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    turned = read(image.transpose(Image.Transpose.ROTATE_90), png, exif=exif)
    np.testing.assert_array_equal(turned, wanted)
    clear = image.convert("RGBA")
    clear.putalpha(ImageOps.invert(image))
    np.testing.assert_array_equal(read(clear, png), wanted)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_of_a_blank_picture_nothing_is_seen(grey, png):
    for size in (300, 200), (1, 1), (3, 1000):
        assert not read(Image.new("L", size, grey), png).any()


def test_a_thin_line_is_one_pixel_wide(png):
    seen = read(boxed(0, 255, (500, 300), (20, 150, 480, 157)), png)[..., 0]
    assert seen.any(axis=0).all()
    assert seen.any(axis=1).sum() == 1


def test_colour_stays_as_it_is(png):
    seen = read(Image.new("RGB", (40, 20), (250, 20, 90)), png, (10, 20, 3))
    assert (seen == (250, 20, 90)).all()


def test_what_is_no_picture_is_refused_in_one_line(png):
    Image.fromarray(np.zeros((6, 5), np.uint16)).save(png)
    with pytest.raises(DatasetError, match="8 bits") as info:
        read_image(png, SHAPE)
    png.write_bytes(png.read_bytes()[:40])
    for path in png, png.parent, png.parent / "missing.png":
        with pytest.raises(DatasetError, match="expected a picture") as info:
            read_image(path, SHAPE)
        assert "\n" not in str(info.value)
