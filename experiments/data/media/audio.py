"""Sound: waveforms read from files, and the two spectrograms that the networks take.

Sources: the log spectrogram of CREMA-D is that of Peng et al., "Balanced multimodal learning via
on-the-fly gradient modulation" (OGM-GE), CVPR 2022. The filterbank is Kaldi's (Povey et al., "The
Kaldi speech recognition toolkit", ASRU 2011) with the options of Gong et al., "AST: audio
spectrogram transformer", Interspeech 2021, which the released code of OGM-GE uses for
Kinetics-Sounds.
"""

import functools
import math
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.data.media import decoding
from experiments.data.media.clips import ClipError

if TYPE_CHECKING:
    import av

RATES = (4_000, 768_000)
"""The lowest and the highest accepted sampling rate, in Hz; others come from damaged headers."""

UNKNOWN = 0x7FFF0000
"""From this number of bytes on, the length in a WAV header stands for an unknown length, as in a
file written to a pipe."""

GAP = 0.1
"""The shortest gap in seconds that is filled with silence; shorter ones come from rounding."""

FFT = 512
"""Samples of a frame of the log spectrogram."""

HOP = 353
"""Samples from one frame of the log spectrogram to the next."""

FLOOR = 1e-7
"""Added to a magnitude before its logarithm."""

FILTERBANK_RATE = 16_000
"""The sampling rate of the filterbank's input, in Hz."""

FRAME = 400
"""Samples of a frame of the filterbank: 25 ms."""

SHIFT = 160
"""Samples from one frame of the filterbank to the next: 10 ms."""

PREEMPHASIS = 0.97
"""The share of a sample that is subtracted from the next one (Kaldi's default)."""

LOW_FREQUENCY = 20.0
"""Lower end of the lowest filter, in Hz (Kaldi's default); the highest ends at half the rate."""

ENERGY_FLOOR = float(np.finfo(np.float32).eps)
"""Smaller energies are raised to this value before the logarithm, as in Kaldi."""


def waveform(path: Path, rate: int, start: float = 0.0, end: float = math.inf) -> np.ndarray:
    """Read the sound of a file, or a part of it, resampled and mixed down to one channel.

    Args:
      path: A file in any format that FFmpeg reads.
      rate: The sampling rate of the result, in Hz.
      start: Start of the part, in seconds. By default that of the file.
      end: End of the part, in seconds. By default that of the file.

    Returns:
      int16 [samples]: the mean of the channels times 32,768, clipped. If the sound begins after
      ``start``, or has a gap, there is silence.

    Raises:
      ClipError: If the file is missing or cannot be decoded, or has no sound; the sampling rate is
        outside ``RATES``, a sample is not finite, or a WAV file is shorter than its header says.
    """
    with decoding.reporting_damage():
        sound = np.empty(0, np.float32)
        for run in _runs(decoding.frames(path, "audio", start, end)):
            samples = _resampled([decoded.frame for decoded in run], rate)
            begins = round((run[0].time - start) * rate)
            if len(sound) == 0:
                samples = samples[max(0, -begins) :]
            silence = np.zeros(max(0, begins - len(sound)), np.float32)
            sound = np.concatenate([sound, silence, samples])
        if math.isfinite(end):
            sound = sound[: round((end - start) * rate)]
    if len(sound) == 0:
        raise ClipError("without audio")
    if _is_cut_short(path):
        raise ClipError("cut short")
    if not np.isfinite(sound).all():
        raise ClipError("with sound that is not finite")
    return np.clip(np.rint(sound * 32_768), -32_768, 32_767).astype(np.int16)


def _is_cut_short(path: Path) -> bool:
    """Return whether a file is a WAV file that is shorter than its header says."""
    whole = path.stat().st_size
    with path.open("rb") as file:
        form = file.read(12)
        if form[:4] != b"RIFF" or form[8:] != b"WAVE":
            return False
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                return size < UNKNOWN and file.tell() + size > whole
            file.seek(size + size % 2, os.SEEK_CUR)
    return False


def _runs(frames: Iterable[decoding.Decoded]) -> Iterator[list[decoding.Decoded]]:
    """Yield runs of successive frames, of the same format and without a gap of ``GAP`` seconds."""
    run: list[decoding.Decoded] = []
    for decoded in frames:
        if run and not _continues(decoded, run[-1]):
            yield run
            run = []
        run.append(decoded)
    if run:
        yield run


def _continues(decoded: decoding.Decoded, before: decoding.Decoded) -> bool:
    gap = decoded.time - before.time - before.frame.samples / before.frame.sample_rate
    return gap < GAP and _format(decoded.frame) == _format(before.frame)


def _format(frame: "av.AudioFrame") -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _resampled(frames: "list[av.AudioFrame]", rate: int) -> np.ndarray:
    """Return the mean of the channels of frames of one format, resampled, float32 [samples].

    Args:
      frames: Frames without gaps between them; at least one.
      rate: The sampling rate of the result, in Hz.

    Raises:
      ClipError: If the sampling rate of the frames is outside ``RATES``.
    """
    import av

    if not RATES[0] <= frames[0].sample_rate <= RATES[1]:
        raise ClipError(f"with sound at {frames[0].sample_rate} Hz")
    # Packed, since PyAV crashes with more than eight planes.
    resampler = av.AudioResampler(format="flt", rate=rate)
    pieces = [piece for frame in frames for piece in resampler.resample(frame)]
    pieces += resampler.resample(None)
    mono = [_channels(piece).mean(axis=1) for piece in pieces]
    return np.concatenate([np.empty(0, np.float32), *mono])


def _channels(frame: "av.AudioFrame") -> np.ndarray:
    """Return the samples of a packed (interleaved) frame, [samples, channels], in its dtype."""
    return frame.to_ndarray().reshape(frame.samples, -1)


def tiled(samples: np.ndarray, length: int) -> np.ndarray:
    """Repeat a waveform until it fills a length, then cut it.

    Args:
      samples: The waveform, [N] with N > 0.
      length: Length of the result.

    Returns:
      The waveform, [length], in the dtype of ``samples``.

    Examples:
      >>> tiled(np.array([1, 2, 3]), 5)
      array([1, 2, 3, 1, 2])
    """
    return np.tile(samples, -(-length // len(samples)))[:length]


def log_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Take the logarithm of the magnitude of the short-time Fourier transform.

    The frames of 512 samples are centered on samples 0, 353, 706 and so on, with zeros beyond both
    ends. Each is weighted with a periodic Hann window. The result is ``log(magnitude + 1e-7)``.

    Args:
      samples: A waveform in [-1, 1], float32 [N].

    Returns:
      float32 [257, 1 + N // 353, 1]: frequency, time, channel.

    Examples:
      >>> log_spectrogram(np.zeros(66_150, np.float32)).shape
      (257, 188, 1)
    """
    padded = np.pad(samples, FFT // 2)
    framed = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    magnitude = np.abs(np.fft.rfft(framed * _periodic_hann(), axis=1))
    return np.log(magnitude.T + np.float32(FLOOR))[..., None]


@functools.cache
def _periodic_hann() -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)


def log_mel_filterbank(samples: np.ndarray, bins: int = 128) -> np.ndarray:
    """Compute Kaldi's log-mel filterbank energies.

    There is a frame of 25 ms every 10 ms, as long as it lies in the waveform. Its mean is removed,
    and it is pre-emphasized, weighted with a Hann window, and padded to 512 samples for the power
    spectrum. The filters are equally spaced triangles that overlap by half on the mel scale 1127
    log(1 + f / 700), from 20 Hz to 8 kHz. There is no dither and no energy coefficient.

    With 128 filters some of the lowest ones are narrower than the 31.25 Hz between two frequencies
    of the spectrum, and a few contain no frequency. Their energy is 0, and the result is the
    logarithm of the floor, as in torchaudio's version of Kaldi's code. Kaldi itself does not accept
    so many filters.

    Args:
      samples: A waveform in [-1, 1] at 16 kHz, float32 [N].
      bins: The number of filters. 128 by default.

    Returns:
      float32 [frames, bins], where frames is 1 + (N - 400) // 160, or 0 if N < 400.

    Examples:
      >>> log_mel_filterbank(np.zeros(160_000, np.float32)).shape
      (998, 128)
    """
    if len(samples) < FRAME:
        return np.empty((0, bins), np.float32)
    framed = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::SHIFT]
    framed = framed - framed.mean(axis=1, keepdims=True)
    before = np.concatenate([framed[:, :1], framed[:, :-1]], axis=1)
    emphasized = framed - np.float32(PREEMPHASIS) * before
    spectrum = np.fft.rfft(emphasized * _symmetric_hann(), FFT, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.log(np.maximum(power @ _mel_filters(bins), np.float32(ENERGY_FLOOR)))


@functools.cache
def _symmetric_hann() -> np.ndarray:
    return np.hanning(FRAME).astype(np.float32)


@functools.cache
def _mel_filters(bins: int) -> np.ndarray:
    """Return the weight of each frequency of the spectrum in each filter, float32 [257, bins]."""
    frequencies = np.arange(FFT // 2 + 1) * (FILTERBANK_RATE / FFT)
    low, high = _mel(np.array([LOW_FREQUENCY, FILTERBANK_RATE / 2]))
    edges = np.linspace(low, high, bins + 2)
    mel, left, center, right = _mel(frequencies)[:, None], edges[:-2], edges[1:-1], edges[2:]
    rising = (mel - left) / (center - left)
    falling = (right - mel) / (right - center)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _mel(frequency: np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(frequency / 700)
