import struct
from fractions import Fraction

import av
import numpy as np
import pytest
import scipy.stats
from PIL import Image

from experiments.data.media import images, video
from experiments.data.media.clips import ClipError
from experiments.data.media.decoding import lasts_longer
from experiments.data.miniatures import media

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


def test_pictures_keep_their_size_and_color(tmp_path):
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


PARTS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220), "gray": (90, 90, 90)}

FOUR = np.repeat(np.repeat(np.array([[*PARTS.values()]], np.uint8).reshape(2, 2, 3), 24, 0), 32, 1)
"""A picture, [48, 64, 3]: red, green, and below them blue and gray."""


def encoded(path, pictures, codec="libx264", pixels="yuv420p", times=None, **options):
    """Write pictures as a codec is told to take them, ten a second or at some times."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=10, options=options.pop("options", {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = pixels, 2_000_000
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(10 * times[number]), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def quarters(jpeg):
    """The size of a picture, and the names of the colors of its quarters, row by row."""
    picture = images.decoded(jpeg)
    width, height = picture.size
    names = []
    for row in (height // 4, 3 * height // 4):
        for column in (width // 4, 3 * width // 4):
            color = np.asarray(picture, float)[row, column]
            far = {name: np.abs(color - wanted).max() for name, wanted in PARTS.items()}
            name = min(far, key=far.get)
            assert far[name] < 25, color
            names.append(name)
    return (width, height), names


def turned(path, a, b, c, d):
    """Give an MP4 file a matrix: `x` goes to `a x + c y`, `y` to `b x + d y`."""
    contents = bytearray(path.read_bytes())
    at = contents.index(b"tkhd") + 44
    numbers = (a, b, 0, c, d, 0, 0, 0, 2**14)
    struct.pack_into(">9i", contents, at, *(round(65_536 * number) for number in numbers))
    path.write_bytes(contents)
    return path


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda picture: picture),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),  # to the right
        ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), np.transpose),
        ((0, -1, -1, 0), lambda picture: np.rot90(np.transpose(picture), 2)),
        ((0, 0, 0, 0), lambda picture: picture),  # as good as none
    ],
)
def test_a_picture_is_turned_as_the_file_says(tmp_path, matrix, turn):
    path = turned(encoded(tmp_path / "clip.mp4", [FOUR] * 6), *matrix)
    ((width, height), names) = quarters(video.each_second(path)[0])
    wanted = turn(np.array(list(PARTS)).reshape(2, 2))
    assert names == wanted.ravel().tolist()
    assert (width, height) == ((48, 64) if matrix[1] else (64, 48))


def test_a_picture_that_is_turned_by_another_angle_is_left_out(tmp_path):
    cosine, sine = np.cos(0.5), np.sin(0.5)
    path = turned(encoded(tmp_path / "clip.mp4", [FOUR] * 6), cosine, sine, -sine, cosine)
    with pytest.raises(ClipError, match="not turned by quarters"):
        video.each_second(path)


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(Fraction(4, 3), (85, 48)), (Fraction(1, 2), (32, 48)), (Fraction(1), (64, 48))],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_pixels_become_squares(tmp_path, aspect, size, suffix):
    path = tmp_path / f"clip.{suffix}"
    encoded(path, [FOUR] * 6, sample_aspect_ratio=aspect)
    assert quarters(video.each_second(path)[0]) == (size, list(PARTS))


def test_pixels_are_squared_before_the_picture_is_turned(tmp_path):
    path = encoded(tmp_path / "clip.mp4", [FOUR] * 6, sample_aspect_ratio=Fraction(2))
    names = ["blue", "red", "gray", "green"]
    assert quarters(video.each_second(turned(path, 0, 1, -1, 0))[0]) == ((48, 128), names)


def test_of_an_interlaced_picture_the_lines_of_one_moment_are_taken(tmp_path):
    combed = np.full((48, 64, 3), 200, np.uint8)
    combed[1::2] = 40
    flags = {"flags": "+ildct+ilme", "qmin": "1", "qmax": "1"}
    path = encoded(tmp_path / "clip.ts", [combed] * 6, "mpeg2video", options=flags)
    picture = np.asarray(images.decoded(video.each_second(path)[0]), float)
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture - 200).max() < 15


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("clip.mp4", "libx264", "yuv420p"),
        ("clip.mp4", "libx264", "yuv444p"),
        ("clip.mkv", "libx264", "yuv422p10le"),
        ("clip.mkv", "ffv1", "yuv420p16le"),
        ("clip.mkv", "ffv1", "bgr0"),
        ("clip.mkv", "ffv1", "yuva420p"),
        ("clip.mkv", "mjpeg", "yuvj420p"),
        ("clip.avi", "png", "rgb24"),
        ("clip.avi", "png", "rgb48be"),
    ],
)
def test_colors_are_those_of_the_pictures_however_they_are_stored(tmp_path, name, codec, pixels):
    path = encoded(tmp_path / name, [FOUR] * 6, codec, pixels)
    assert quarters(video.each_second(path)[0]) == ((64, 48), list(PARTS))


@pytest.mark.parametrize("pixels", ["gray", "gray16le"])
def test_pictures_without_color_are_gray(tmp_path, pixels):
    path = encoded(tmp_path / "clip.mkv", [FOUR] * 6, "ffv1", pixels)
    picture = np.asarray(images.decoded(video.each_second(path)[0]), float)
    red, green, blue = PARTS["red"]
    assert np.abs(picture[12, 16] - (0.299 * red + 0.587 * green + 0.114 * blue)).max() < 4
    assert np.ptp(picture, axis=2).max() == 0


@pytest.mark.parametrize(
    ("matrix", "weights"),
    [(1, (0.2126, 0.7152, 0.0722)), (2, (0.299, 0.587, 0.114)), (5, (0.299, 0.587, 0.114))],
)
@pytest.mark.parametrize("is_full", [False, True])
def test_the_matrix_and_the_range_of_the_colors_are_heeded(tmp_path, matrix, weights, is_full):
    luma, blueness, redness = 120, 90, 160
    path = tmp_path / "clip.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if is_full else 1
        frame = av.VideoFrame(64, 48, "yuv444p")
        frame.colorspace, frame.color_range = matrix, 2 if is_full else 1
        for plane, level in zip(frame.planes, (luma, blueness, redness), strict=True):
            plane.update(bytes([level]) * plane.buffer_size)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    scales = (1, 1) if is_full else (255 / 219, 255 / 224)
    bright = scales[0] * (luma - (0 if is_full else 16))
    red = bright + 2 * (1 - weights[0]) * scales[1] * (redness - 128)
    blue = bright + 2 * (1 - weights[2]) * scales[1] * (blueness - 128)
    green = (bright - weights[0] * red - weights[2] * blue) / weights[1]
    picture = np.asarray(images.decoded(video.each_second(path)[0]), float)
    assert np.abs(picture - (red, green, blue)).max() < 5


def test_odd_sizes_and_sizes_that_change_midway(tmp_path):
    odd = np.repeat(np.repeat(FOUR[::24, ::32], [23, 26], 0), [31, 36], 1)
    (jpeg,) = video.each_second(encoded(tmp_path / "odd.mkv", [odd] * 10, "ffv1", "yuv444p"))
    assert quarters(jpeg) == ((67, 49), list(PARTS))
    parts = [
        encoded(tmp_path / "small.ts", [FOUR] * 10),
        encoded(tmp_path / "large.ts", [np.repeat(FOUR, 2, 0)] * 10),
    ]
    (tmp_path / "all.ts").write_bytes(b"".join(path.read_bytes() for path in parts))
    got = [quarters(jpeg) for jpeg in video.each_second(tmp_path / "all.ts")]
    assert got == [((64, 48), list(PARTS)), ((64, 96), list(PARTS))]


def test_pictures_at_uneven_times(tmp_path):
    times = [0.0, 0.1, 0.4, 1.3, 1.7, 1.8, 3.5, 3.6]
    pictures = list(media.numbered(8, step=25))
    path = encoded(tmp_path / "clip.mkv", pictures, "mpeg4", times=times)
    # The first at or after 0.5, 1.5, 2.5 and 3.5 s, each once and none past its second.
    assert numbers(video.each_second(path), 25) == [3, 4, 6]


@pytest.mark.parametrize("begins", [-2.0, -0.7, 0.0, 5.0])
def test_time_begins_with_the_file(tmp_path, begins):
    times = begins + np.arange(30) / 10
    path = encoded(tmp_path / "clip.nut", media.numbered(30), "mpeg4", times=times)
    assert numbers(video.each_second(path), 8) == [5, 15, 25]
    assert numbers(video.each_second(path, 0.9, 2.9), 8) == [14, 24]


def test_pictures_without_times_follow_one_another(tmp_path):
    path = encoded(tmp_path / "clip.h264", media.numbered(30))
    assert numbers(video.each_second(path), 8) == [5, 15, 25]
    assert numbers(video.each_second(path, 1.4, 2.9), 8) == [19]


def test_times_that_begin_anew_go_on(tmp_path):
    path = encoded(tmp_path / "clip.ts", media.numbered(10))
    twice = tmp_path / "twice.ts"
    twice.write_bytes(2 * path.read_bytes())
    assert numbers(video.each_second(twice), 8) == [5, 5]
    assert lasts_longer(twice, 1.9)
    assert not lasts_longer(twice, 2.1)


def test_the_cover_of_a_piece_of_music_is_no_video(tmp_path):
    music = tmp_path / "music.mp3"
    media.write(music, samples=media.sine(440, 1, 16_000), codecs=(None, "libmp3lame"))
    cover = tmp_path / "cover.png"
    Image.fromarray(FOUR).save(cover)
    picture = b"\0image/png\0\x03\0" + cover.read_bytes()
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"ID3\x03\0\0" + size + frame + music.read_bytes())
    with pytest.raises(ClipError, match="without video"):
        video.each_second(path)


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
