"""A miniature CREMA-D: one short clip for each actor and emotion.

The emotion can be told from the pitch and from the colour.
"""

import colorsys
from pathlib import Path

from miniatures import media

EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
ACTORS = (1001, 1002, 1005)


def write(folder: Path, *, actors=ACTORS, seconds=1.7, lists=False, sentence="DFA") -> None:
    """Write the archive; with `lists`, the clips of the last actor are those of `test.csv`."""
    names = {
        actor: [f"{actor}_{sentence}_{emotion}_XX" for emotion in EMOTIONS] for actor in actors
    }
    for clips in names.values():
        for index, name in enumerate(clips):
            clip(folder, name, index, seconds)
    if lists:
        train = [name for actor in actors[:-1] for name in names[actor]]
        write_list(folder / "train.csv", train)
        write_list(folder / "test.csv", names[actors[-1]])


def clip(folder, name, index, seconds):
    """Write the two files of a clip."""
    colour = [255 * channel for channel in colorsys.hsv_to_rgb(index / 6, 0.8, 0.8)]
    sound = media.sine(200 * (index + 1), seconds, 16_000)
    media.write(folder / "AudioWAV" / f"{name}.wav", samples=sound, codecs=(None, "pcm_s16le"))
    media.write(
        folder / "VideoFlash" / f"{name}.flv",
        media.plain(colour, round(10 * seconds)),
        media.sine(200 * (index + 1), seconds, 22_050),
        rate=22_050,
        codecs=("flv", "libmp3lame"),
    )


def write_list(path, names):
    """Write a list of clips as earlier work publishes them."""
    path.write_text("".join(f"{name},{name.split('_')[2]}\n" for name in names))
