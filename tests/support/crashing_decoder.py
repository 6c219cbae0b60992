"""Stands for a decoder that crashes over one clip, and over another one takes all memory."""

import os
import signal

SIGNALS = {"1001_DFA_ANG_XX": signal.SIGSEGV, "1002_DFA_SAD_XX": signal.SIGKILL}
"""What ends the process that decodes a clip, by its name."""


def decode(clip):
    if clip.name in SIGNALS:
        os.kill(os.getpid(), SIGNALS[clip.name])
    return {"waveform": [1], "frames": [], "label": clip.label, "clip": clip.name}
