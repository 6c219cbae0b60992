import gzip
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from experiments.data.sets import _mnist as mnist
from experiments.errors import UserError

IMAGES = "train-images-idx3-ubyte.gz"


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves a folder; `server.spoil` may change the bytes that it sends for a file."""

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.server.requests.append(name)
        path = self.server.folder / name
        if not path.exists():
            self.send_error(404)
            return
        whole = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(self.server.spoil(whole))
        self.wfile.flush()
        self.server.sent.set()
        self.server.go_on.wait(30)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(miniature, monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.folder = miniature[0]
        server.spoil = lambda whole: whole
        server.requests = []
        server.sent, server.go_on = threading.Event(), threading.Event()
        server.go_on.set()
        server.url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(mnist, "MIRRORS", (server.url,))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/mnist/",))


def assert_equal(read, expected):
    assert read.keys() == expected.keys()
    for split in expected:
        for got, wanted in zip(read[split], expected[split], strict=True):
            assert got.dtype == np.uint8
            np.testing.assert_array_equal(got, wanted)


def one_line(error):
    message = str(error.value)
    assert "\n" not in message
    return message


def test_files_in_the_folder_are_read_without_a_network(miniature, offline):
    folder, splits = miniature
    assert_equal(mnist.read(folder), splits)
    assert sorted(path.name for path in folder.iterdir()) == sorted(mnist.SHA256)


def test_checksums_are_those_of_the_contents_however_compressed(miniature, offline):
    folder, splits = miniature
    contents = gzip.decompress((folder / IMAGES).read_bytes())
    (folder / IMAGES).write_bytes(gzip.compress(contents, compresslevel=1))
    assert_equal(mnist.read(str(folder)), splits)


def test_missing_files_are_downloaded(miniature, mirror, tmp_path):
    data_dir = tmp_path / "new" / "folder"
    assert_equal(mnist.read(data_dir), miniature[1])
    assert {path.name for path in data_dir.iterdir()} == {*mnist.SHA256, ".lock"}
    mnist.read(data_dir)
    assert len(mirror.requests) == 4


def test_only_what_is_missing_is_downloaded(miniature, mirror, tmp_path):
    data_dir = tmp_path / "data"
    shutil.copytree(miniature[0], data_dir)
    (data_dir / IMAGES).unlink()
    assert_equal(mnist.read(data_dir), miniature[1])
    assert mirror.requests == [IMAGES]


def test_the_second_mirror_serves_where_the_first_fails(miniature, tmp_path, monkeypatch):
    empty, full = tmp_path / "empty", miniature[0]
    monkeypatch.setattr(mnist, "MIRRORS", (f"{empty.as_uri()}/", f"{full.as_uri()}/"))
    assert_equal(mnist.read(tmp_path / "data"), miniature[1])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda whole: whole[: len(whole) // 2], id="interrupted"),
        pytest.param(lambda whole: bytes(len(whole)), id="not gzip"),
        pytest.param(lambda whole: gzip.compress(b"other")[: len(whole)], id="wrong checksum"),
    ],
)
def test_a_spoiled_download_leaves_nothing_and_a_retry_succeeds(miniature, mirror, tmp_path, spoil):
    data_dir = tmp_path / "data"
    mirror.spoil = spoil
    with pytest.raises(UserError, match="cannot download train-images") as error:
        mnist.read(data_dir)
    assert str(data_dir) in one_line(error)
    assert f"{mirror.url}{IMAGES}" in one_line(error)
    assert not data_dir.exists()
    mirror.spoil = lambda whole: whole
    assert_equal(mnist.read(data_dir), miniature[1])


def test_a_file_that_the_mirror_lacks(miniature, mirror, tmp_path):
    (miniature[0] / IMAGES).unlink()
    with pytest.raises(UserError, match="404"):
        mnist.read(tmp_path / "data")


def test_no_network(miniature, offline, tmp_path):
    data_dir = tmp_path / "data"
    with pytest.raises(UserError, match="cannot download") as error:
        mnist.read(data_dir)
    assert f"http://127.0.0.1:9/mnist/{IMAGES} and put it into {data_dir}" in one_line(error)


def test_a_kill_during_a_download_leaves_no_half_file(miniature, mirror, tmp_path):
    data_dir = tmp_path / "data"
    mirror.spoil = lambda whole: whole[:100]
    mirror.go_on.clear()
    code = (
        "import sys; from experiments.data.sets import _mnist as mnist\n"
        "mnist.MIRRORS = (sys.argv[1],); mnist.read(sys.argv[2])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, mirror.url, str(data_dir)],
        cwd=Path(__file__).parents[4],
        stderr=subprocess.DEVNULL,
    )
    assert mirror.sent.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {path.name for path in data_dir.iterdir()} <= {".lock", f"{IMAGES}.part"}
    mirror.go_on.set()
    mirror.spoil = lambda whole: whole
    assert_equal(mnist.read(data_dir), miniature[1])
    assert {path.name for path in data_dir.iterdir()} == {*mnist.SHA256, ".lock"}


def truncated(whole):
    return whole[: len(whole) // 2]


def flipped(whole):
    return whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncated, "truncated or damaged"),
        (lambda whole: b"", "wrong SHA-256"),
        (lambda whole: b"<html>", "gzip"),
        (lambda whole: gzip.compress(b"other"), "wrong SHA-256"),
        (flipped, "damaged|CRC|SHA-256"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(miniature, mirror, damage, reason):
    folder = miniature[0]
    damaged = damage((folder / IMAGES).read_bytes())
    (folder / IMAGES).write_bytes(damaged)
    with pytest.raises(UserError, match=reason) as error:
        mnist.read(folder)
    assert str(folder / IMAGES) in one_line(error)
    assert (folder / IMAGES).read_bytes() == damaged
    assert mirror.requests == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where permissions forbid it")
def test_a_folder_that_cannot_be_written(miniature, offline, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot write"):
        mnist.read(closed / "data")


def test_a_file_in_the_place_of_the_folder(miniature, offline, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"/file is a file, not a folder: name another folder"):
        mnist.read(tmp_path / "file")


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 3)])
def test_parse_idx_reads_any_number_of_dimensions(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    np.testing.assert_array_equal(mnist.parse_idx(header + array.tobytes()), array)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "not an IDX"),
        (b"\0\0\x08", "not an IDX"),
        (b"\x1f\x8b\x08\x01\0\0\0\1\7", "not an IDX"),
        (b"\0\0\x0d\x01\0\0\0\1\0\0\0\0", "type 0x0d"),
        (b"\0\0\x08\x03\0\0\0\1", "header is cut short"),
        (b"\0\0\x08\x01\0\0\0\2\7", "1 elements"),
        (b"\0\0\x08\x01\0\0\0\1\7\7", "2 elements"),
    ],
)
def test_parse_idx_refuses_what_is_not_idx(contents, reason):
    with pytest.raises(ValueError, match=reason):
        mnist.parse_idx(contents)
