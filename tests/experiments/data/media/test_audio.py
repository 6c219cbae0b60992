import math
import struct
import wave

import av
import numpy as np
import pytest
import scipy.io.wavfile
import scipy.signal

from experiments.data.media import audio
from experiments.data.media.clips import ClipError
from experiments.data.miniatures import media


def noise(count, seed=0, amplitude=0.1):
    return np.random.default_rng(seed).normal(0, amplitude, count).astype(np.float32)


def kaldi_filterbank(samples, bins):
    """Kaldi's definition, written out for each frame, filter and frequency."""
    samples = samples.astype(np.float64)

    def mel(frequency):
        return 1127.0 * math.log(1 + frequency / 700)

    width = (mel(8000) - mel(20)) / (bins + 1)
    frames = []
    for start in range(0, len(samples) - 400 + 1, 160):
        frame = samples[start : start + 400]
        frame = frame - sum(frame) / 400
        for index in range(399, 0, -1):
            frame[index] -= 0.97 * frame[index - 1]
        frame[0] -= 0.97 * frame[0]
        for index in range(400):
            frame[index] *= 0.5 - 0.5 * math.cos(2 * math.pi * index / 399)
        power = np.abs(np.fft.fft(frame, 512)) ** 2
        energies = []
        for number in range(bins):
            left = mel(20) + number * width
            energy = 0.0
            for index in range(256):
                position = (mel(index * 16_000 / 512) - left) / width
                if 0 < position < 2:
                    energy += min(position, 2 - position) * power[index]
            energies.append(math.log(max(energy, 1.1920929e-07)))
        frames.append(energies)
    return np.array(frames)


def test_the_log_spectrogram_is_a_windowed_fourier_transform():
    samples = noise(5_000)
    got = audio.log_spectrogram(samples)
    padded = np.concatenate([np.zeros(256), samples, np.zeros(256)])
    window = scipy.signal.get_window("hann", 512)
    frequency, time = np.arange(257)[:, None], np.arange(512)
    transform = np.exp(-2j * np.pi * frequency * time / 512)
    wanted = [
        np.log(np.abs(transform @ (window * padded[start : start + 512])) + 1e-7)
        for start in range(0, 5_001, 353)
    ]
    assert got.shape == (257, 15, 1)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[..., 0], np.stack(wanted, axis=1), atol=2e-4)


def test_the_log_spectrogram_agrees_with_scipy():
    samples = noise(66_150, seed=1)
    transform = scipy.signal.ShortTimeFFT(
        scipy.signal.get_window("hann", 512), hop=353, fs=1, fft_mode="onesided"
    )
    wanted = np.abs(transform.stft(samples.astype(float), p0=0, p1=188))
    got = audio.log_spectrogram(samples)
    assert got.shape == (257, 188, 1)
    np.testing.assert_allclose(got[..., 0], np.log(wanted + 1e-7), atol=1e-3)


def test_silence_has_the_floor():
    np.testing.assert_allclose(audio.log_spectrogram(np.zeros(1_000, np.float32)), np.log(1e-7))
    silent = audio.log_mel_filterbank(np.zeros(1_000, np.float32))
    np.testing.assert_allclose(silent, np.log(np.finfo(np.float32).eps), rtol=1e-6)


@pytest.mark.parametrize("bins", [128, 23])
def test_the_filterbank_is_that_of_kaldi_written_out(bins):
    samples = noise(1_500, seed=2) + 0.3
    got = audio.log_mel_filterbank(samples, bins)
    assert got.dtype == np.float32
    assert got.shape == (7, bins)
    np.testing.assert_allclose(got, kaldi_filterbank(samples, bins), atol=2e-3)


@pytest.mark.parametrize("bins", [23, 80])
def test_the_filterbank_agrees_with_kaldi_native_fbank(bins):
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hanning"
    options.mel_opts.num_bins = bins
    options.htk_compat = True
    reference = kaldi_native_fbank.OnlineFbank(options)
    samples = noise(16_000, seed=3)
    reference.accept_waveform(16_000, samples)
    reference.input_finished()
    wanted = [reference.get_frame(index) for index in range(reference.num_frames_ready)]
    np.testing.assert_allclose(audio.log_mel_filterbank(samples, bins), wanted, atol=2e-3)


def test_a_filter_between_two_frequencies_of_the_spectrum_holds_no_energy():
    got = audio.log_mel_filterbank(noise(4_000, seed=4))
    empty = (got == np.log(np.finfo(np.float32).eps)).all(axis=0)
    assert np.flatnonzero(empty).tolist() == [3]


@pytest.mark.parametrize(
    ("count", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (160_000, 998)]
)
def test_the_filterbank_has_a_frame_for_every_10_ms_that_25_ms_fit_into(count, frames):
    assert audio.log_mel_filterbank(np.zeros(count, np.float32)).shape == (frames, 128)


def test_a_tone_is_in_its_filter():
    tone = media.sine(1_000, 1, 16_000)[0]
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8_000 / 700), 130)
    nearest = np.abs(edges[1:-1] - 1127 * np.log1p(1_000 / 700)).argmin()
    assert set(audio.log_mel_filterbank(tone).argmax(axis=1)) == {nearest}


@pytest.mark.parametrize(
    ("length", "wanted"), [(2, [1, 2]), (3, [1, 2, 3]), (7, [1, 2, 3, 1, 2, 3, 1])]
)
def test_a_tiled_waveform_is_repeated_then_cut(length, wanted):
    assert audio.tiled(np.array([1, 2, 3]), length).tolist() == wanted


def wav(folder, samples, rate=16_000):
    path = folder / "sound.wav"
    media.write(path, samples=samples, rate=rate, codecs=(None, "pcm_s16le"))
    return path


def test_a_sine_is_resampled_to_the_same_sine(tmp_path):
    path = wav(tmp_path, media.sine(440, 1, 16_000))
    got = audio.waveform(path, 22_050)
    assert got.dtype == np.int16
    assert abs(len(got) - 22_050) <= 2
    wanted = media.sine(440, 1, 22_050)[0]
    np.testing.assert_allclose(got[500:21_500] / 32_768, wanted[500:21_500], atol=2e-3)


def test_what_cannot_be_sampled_at_the_new_rate_is_filtered_out(tmp_path):
    path = wav(tmp_path, media.sine(10_000, 1, 44_100), rate=44_100)
    assert np.abs(audio.waveform(path, 16_000)[500:-500]).max() < 150


def test_the_same_rate_keeps_the_samples(tmp_path):
    samples = np.array([[0, 0.25, -0.5, 0.125]], np.float32)
    assert audio.waveform(wav(tmp_path, samples), 16_000).tolist() == [0, 8192, -16384, 4096]


def test_channels_are_averaged(tmp_path):
    left = media.sine(440, 0.5, 16_000)
    got = audio.waveform(wav(tmp_path, np.concatenate([left, -0.5 * left])), 16_000)
    np.testing.assert_allclose(got / 32_768, 0.25 * left[0], atol=1e-4)


def test_a_loud_waveform_is_clipped_not_wrapped(tmp_path):
    times = np.arange(16_000) / 16_000
    square = np.sign(np.sin(2 * np.pi * 100 * times))[None].astype(np.float32)
    got = audio.waveform(wav(tmp_path, square), 22_050).astype(int)
    assert got.max() == 32_767  # the resampled edges overshoot
    assert got.min() == -32_768
    middle = (np.arange(len(got)) / 22_050 * 100 % 0.5 > 0.1) & (
        np.arange(len(got)) / 22_050 * 100 % 0.5 < 0.4
    )
    assert np.abs(got[middle]).min() > 25_000


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_stretch_is_cut_out(tmp_path, rate):
    chirp = scipy.signal.chirp(np.arange(32_000) / 16_000, 100, 2, 400)[None] / 2
    path = wav(tmp_path, chirp.astype(np.float32))
    whole, cut = audio.waveform(path, rate), audio.waveform(path, rate, 0.7, 1.2)
    assert len(cut) == rate // 2
    first = round(0.7 * rate)
    np.testing.assert_allclose(cut[50:-50], whole[first : first + len(cut)][50:-50], atol=800)


def test_sound_is_read_from_a_video(tmp_path):
    path = tmp_path / "clip.mp4"
    sound = media.sine(440, 1, 44_100)
    media.write(path, media.numbered(10), np.concatenate([sound, sound]), rate=44_100)
    spectrum = np.abs(np.fft.rfft(audio.waveform(path, 16_000)[:16_000]))
    assert abs(int(spectrum.argmax()) - 440) <= 1


@pytest.mark.parametrize("channels", [6, 8])
def test_the_channels_of_a_film_are_averaged(tmp_path, channels):
    path = tmp_path / "clip.mp4"
    tones = 180 * np.arange(1, channels + 1)
    tones[3] = 60  # the fourth channel is for the lowest tones alone
    sound = np.concatenate([media.sine(tone, 1, 48_000) for tone in tones])
    media.write(path, media.numbered(10), sound, rate=48_000)
    spectrum = np.abs(np.fft.rfft(audio.waveform(path, 48_000)[8_000:40_000])) / 16_000 / 32_768
    np.testing.assert_allclose(channels * spectrum[tones * 2 // 3], 0.5, rtol=0.05)


def pcm(path, samples, rate=16_000):
    """Write a waveform of any number of channels, [channels, N]."""
    with wave.open(str(path), "wb") as file:
        file.setparams((len(samples), 2, rate, 0, "NONE", ""))
        file.writeframes(np.rint(samples.T).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("channels", [3, 5, 9, 16, 24, 64])
def test_any_number_of_channels_is_averaged(tmp_path, channels):
    levels = np.arange(channels) * 100.0
    path = pcm(tmp_path / "sound.wav", np.broadcast_to(levels[:, None], (channels, 4_000)))
    assert set(audio.waveform(path, 16_000)) == {round(levels.mean())}


@pytest.mark.parametrize(
    ("dtype", "zero", "one"),
    [(np.uint8, 128, 128), (np.int16, 0, 2**15), (np.int32, 0, 2**31), (np.float64, 0, 1)],
)
def test_every_kind_of_number_is_read(tmp_path, dtype, zero, one):
    samples = np.array([0, 0.25, -0.5, 0.125])
    scipy.io.wavfile.write(tmp_path / "sound.wav", 16_000, (zero + one * samples).astype(dtype))
    assert audio.waveform(tmp_path / "sound.wav", 16_000).tolist() == [0, 8192, -16384, 4096]


def test_sound_that_changes_midway_is_read_on(tmp_path):
    mono = media.sine(440, 0.5, 16_000)
    parts = {"mono.aac": (mono, 16_000), "stereo.aac": (np.concatenate([mono, 0 * mono]), 16_000)}
    parts["faster.aac"] = (media.sine(440, 0.5, 32_000), 32_000)
    for name, (samples, rate) in parts.items():
        media.write(tmp_path / name, samples=samples, rate=rate)
    (tmp_path / "all.aac").write_bytes(b"".join((tmp_path / name).read_bytes() for name in parts))
    got = audio.waveform(tmp_path / "all.aac", 16_000) / 32_768
    assert len(got) == pytest.approx(1.5 * 16_000, abs=4_000)
    for begin, wanted in ((2_000, 0.5), (10_500, 0.25), (len(got) - 6_000, 0.5)):
        spectrum = 2 * np.abs(np.fft.rfft(got[begin : begin + 4_000])) / 4_000
        assert spectrum.argmax() == 110
        assert spectrum.max() == pytest.approx(wanted, rel=0.1)


def pieces(path, *begins):
    """A file of pictures from 0 to 3 s and of half a second of a constant at each of some times."""
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for picture in media.numbered(30):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        for begin in begins:
            constant = np.full((1, 8_000), 4_096, np.int16)
            frame = av.AudioFrame.from_ndarray(constant, "s16", "mono")
            frame.sample_rate, frame.pts = 16_000, round(16_000 * begin)
            container.mux(sound.encode(frame))
    return path


def test_there_is_silence_where_sound_begins_late_or_has_a_gap(tmp_path):
    path = pieces(tmp_path / "clip.mkv", 0.5, 2.0)
    wanted = np.zeros(40_000)
    wanted[8_000:16_000] = wanted[32_000:] = 4_096
    np.testing.assert_array_equal(audio.waveform(path, 16_000), wanted)
    np.testing.assert_array_equal(audio.waveform(path, 16_000, 0.25, 2.25), wanted[4_000:36_000])
    np.testing.assert_array_equal(audio.waveform(path, 16_000, 1.5, 2.75), wanted[24_000:])


def test_a_stretch_behind_the_sound_is_without_audio(tmp_path):
    with pytest.raises(ClipError, match="without audio"):
        audio.waveform(pieces(tmp_path / "clip.mkv", 0.0), 16_000, 1.0, 2.0)


@pytest.mark.parametrize("length", [0x7FFFFFFF - 36, 0xFFFFFFFF], ids=["sox", "ffmpeg"])
def test_a_wav_file_that_was_written_to_a_pipe_is_whole(tmp_path, length):
    path = tmp_path / "piped.wav"
    pcm(path, np.ones((1, 16_000)), 16_000)
    whole = path.read_bytes()
    assert whole[36:40] == b"data"
    path.write_bytes(whole[:40] + struct.pack("<I", length) + whole[44:])
    assert len(audio.waveform(path, 16_000)) == 16_000


@pytest.fixture
def unusable(tmp_path):
    """Files by what is wrong with them."""
    media.write(tmp_path / "silent.mp4", media.numbered(5))
    with wave.open(str(tmp_path / "empty.wav"), "wb") as empty:
        empty.setparams((1, 2, 16_000, 0, "NONE", ""))
    for name, channels, rate in (("many", 100, 16_000), ("slow", 1, 1), ("fast", 1, 2_000_000)):
        pcm(tmp_path / f"{name}.wav", np.ones((channels, 22_050)), rate)
    scipy.io.wavfile.write(
        tmp_path / "infinite.wav", 16_000, np.array([0, np.inf, np.nan, 0], np.float32)
    )
    pcm(tmp_path / "whole.wav", np.ones((1, 22_050)), 16_000)
    whole = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "third.wav").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.wav").write_text("not a waveform")
    (tmp_path / "nothing.wav").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("silent.mp4", "without audio"),
        ("empty.wav", "without audio"),
        ("many.wav", "unreadable"),
        ("slow.wav", "with sound at 1 Hz"),
        ("fast.wav", "with sound at 2000000 Hz"),
        ("infinite.wav", "with sound that is not finite"),
        ("third.wav", "cut short"),
        ("text.wav", "unreadable"),
        ("nothing.wav", "unreadable"),
        ("absent.wav", "missing"),
        ("", "unreadable"),  # a folder
    ],
)
def test_what_is_wrong_with_a_file_is_told(unusable, name, reason):
    with pytest.raises(ClipError) as error:
        audio.waveform(unusable / name, 16_000)
    assert str(error.value) == reason
