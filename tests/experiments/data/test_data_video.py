import numpy as np
import pytest
import scipy.stats
from PIL import Image

from experiments.data import images, video
from experiments.data.clips import ClipError
from experiments.miniatures import media

FORMATS = {
    "clip.flv": ("flv", "libmp3lame"),
    "avc.flv": ("libx264", "aac"),
    "clip.mp4": ("libx264", "aac"),
    "old.mp4": ("mpeg4", "aac"),
    "clip.mkv": ("libx264", "aac"),
}


def numbers(jpegs, step):
    """The indices of pictures that `media.numbered` wrote."""
    means = [np.asarray(images.decoded(jpeg)).mean() for jpeg in jpegs]
    indices = np.array(means) / step
    assert np.abs(indices - indices.round()).max() < 0.4
    return indices.round().astype(int).tolist()


@pytest.fixture(scope="module")
def three_seconds(tmp_path_factory):
    """Thirty pictures at ten a second, in each format, beside sound."""
    folder = tmp_path_factory.mktemp("videos")
    for name, codecs in FORMATS.items():
        sound = media.sine(440, 3, 44_100)
        media.write(folder / name, media.numbered(30), sound, rate=44_100, codecs=codecs)
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_the_picture_in_the_middle_of_each_second_is_taken(three_seconds, name):
    assert numbers(video.each_second(three_seconds / name), 8) == [5, 15, 25]


@pytest.mark.parametrize("name", FORMATS)
def test_a_stretch_is_cut_out(three_seconds, name):
    assert numbers(video.each_second(three_seconds / name, 0.9, 2.9), 8) == [14, 24]
    assert numbers(video.each_second(three_seconds / name, 0.0, 1.5), 8) == [5]


@pytest.mark.parametrize(
    ("count", "fps", "wanted"),
    [
        (1, 10, [0]),  # no second half of a second: the last picture
        (5, 10, [4]),
        (6, 10, [5]),
        (15, 10, [5]),
        (16, 10, [5, 15]),
        (5, 2, [1, 3]),
        (4, 1, [1, 2, 3]),  # a picture a second: the next one after the middle
        (12, 7, [4, 11]),
    ],
)
def test_the_number_of_pictures(tmp_path, count, fps, wanted):
    path = tmp_path / "clip.mp4"
    media.write(path, media.numbered(count, step=15), fps=fps)
    assert numbers(video.each_second(path), 15) == wanted


def test_pictures_keep_their_size_and_colour(tmp_path):
    path = tmp_path / "clip.flv"
    media.write(path, media.plain((200, 40, 90), 6), codecs=("flv", None))
    (jpeg,) = video.each_second(path)
    picture = images.decoded(jpeg)
    assert picture.size == (64, 48)
    assert np.abs(np.asarray(picture) - np.array([200.0, 40, 90])).max() < 12


def test_a_video_without_an_end_gives_what_there_is(tmp_path, three_seconds):
    path = tmp_path / "cut.flv"
    contents = (three_seconds / "clip.flv").read_bytes()
    path.write_bytes(contents[: len(contents) // 2])
    assert 1 <= len(numbers(video.each_second(path), 8)) < 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sound.mp4", "without video"),
        ("text.mp4", "unreadable"),
        ("cut.mp4", "unreadable"),
        ("absent.mp4", "missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, three_seconds, name, reason):
    media.write(tmp_path / "sound.mp4", samples=media.sine(440, 1, 44_100), rate=44_100)
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "cut.mp4").write_bytes((three_seconds / "clip.mp4").read_bytes()[:2_000])
    with pytest.raises(ClipError) as error:
        video.each_second(tmp_path / name)
    assert str(error.value) == reason


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_hold_every_picture_and_are_equal_as_far_as_that_goes(count):
    for length in range(count, 15):
        parts = video.parts(length, count)
        covered = [index for low, high in parts for index in range(low, high)]
        assert covered == list(range(length))
        sizes = [high - low for low, high in parts]
        assert max(sizes) - min(sizes) <= 1


def test_fewer_pictures_than_parts_are_shared():
    assert video.parts(1, 2) == [(0, 1), (0, 1)]
    assert video.parts(1, 3) == [(0, 1)] * 3
    assert video.parts(2, 3) == [(0, 1), (0, 1), (1, 2)]


@pytest.fixture(scope="module")
def stored():
    """Ten plain pictures."""
    return [images.jpeg(Image.fromarray(picture)) for picture in media.numbered(10, step=25)]


def shown(views):
    return np.round(views.mean(axis=(1, 2, 3)) / 25).astype(int).tolist()


def test_training_takes_any_picture_of_each_part(stored):
    rng = np.random.default_rng(0)
    first, second = np.array([shown(video.training_views(stored, 2, rng)) for _ in range(300)]).T
    for drawn, part in ((first, range(5)), (second, range(5, 10))):
        counts = [np.count_nonzero(drawn == index) for index in part]
        assert sum(counts) == 300
        assert scipy.stats.chisquare(counts).pvalue > 0.01


def test_evaluation_takes_the_middle_of_each_part(stored):
    assert shown(video.evaluation_views(stored, 2)) == [2, 7]
    assert shown(video.evaluation_views(stored, 3)) == [1, 4, 8]
    assert shown(video.evaluation_views(stored[:2], 2)) == [0, 1]


def test_a_single_picture_is_shown_in_every_part(stored):
    assert shown(video.evaluation_views(stored[4:5], 2)) == [4, 4]
    assert shown(video.training_views(stored[4:5], 3, np.random.default_rng(1))) == [4, 4, 4]


def test_every_picture_has_a_crop_of_its_own():
    ramp = np.broadcast_to(np.arange(0, 240, dtype=np.uint8)[None, :, None], (240, 240, 3))
    jpeg = images.jpeg(Image.fromarray(ramp))
    views = video.training_views([jpeg], 2, np.random.default_rng(2))
    assert np.abs(views[0].astype(int) - views[1]).mean() > 5
