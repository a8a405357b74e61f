"""Files that were cut, flipped, spliced or filled with noise: one line each, in bounded memory."""

import random
import time
import tracemalloc

from numpycnn.errors import CheckpointError

ALLOWANCE, LIMIT = 64 << 20, 5.0  # bytes beyond four times the file's size, CPU seconds


def attempt(path, content, load):
    """What load makes of the content, or None after one line with the path."""
    path.write_bytes(content)
    tracemalloc.start()
    began = time.process_time()
    try:
        return load(path)
    except CheckpointError as error:
        text = str(error)
        assert text.startswith(str(path)), text
        assert text.isprintable(), text
        assert len(text) < 1200, text
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * len(content) + ALLOWANCE, peak
        assert time.process_time() - began < LIMIT


def cuts(content, count, seed=1):
    """The content cut at `count` lengths, the first and the last hundred among them."""
    draw = random.Random(seed)
    lengths = {*range(min(100, len(content))), *range(max(len(content) - 100, 0), len(content))}
    lengths |= {draw.randrange(len(content)) for _ in range(count)}
    return [content[:n] for n in sorted(lengths)]


def flips(content, count, seed=1, ends=2_000):
    """One bit flipped, most often near the ends, where structure stands."""
    draw = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(content)
        places = [draw.randrange(len(content)), draw.randrange(min(ends, len(content)))]
        places.append(len(content) - 1 - places[1])
        damaged[draw.choice(places)] ^= 1 << draw.randrange(8)
        yield bytes(damaged)


def splices(content, count, seed=1):
    """A piece left out, doubled, or replaced by noise."""
    draw = random.Random(seed)
    for _ in range(count):
        a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
        b = min(b, a + draw.choice([1, 2, 8, 100, 10_000]))
        kinds = b"", content[a:b] * 2, draw.randbytes(b - a)
        yield content[:a] + draw.choice(kinds) + content[b:]
